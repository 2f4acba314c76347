import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sinks.contract import SinkType
from sinks.registry import BUILT_IN, BrokenPluginError, UnknownSinkTypeError, find, names

Install = Callable[..., None]
GOOD = """
from sinks.contract import SinkType
from sinks.settings import SinkSettings
SINK = SinkType(settings=SinkSettings, build=lambda name, settings: None, describe=lambda settings: "x")
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a package on the path, as pip would leave it there: a module, and metadata with the entry point."""
    monkeypatch.syspath_prepend(tmp_path)

    def put(package: str, entry_point: str, code: str = GOOD) -> None:
        module = package.replace("-", "_")
        monkeypatch.delitem(sys.modules, module, raising=False)
        (tmp_path / f"{module}.py").write_text(code)
        metadata = tmp_path / f"{module}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[event_router.sinks]\n{entry_point}\n")

    return put


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_built_in_sink_type_is_found(name: str) -> None:
    assert isinstance(find(name), SinkType)
    assert name in names()


def test_a_plug_in_is_found_by_its_name(install: Install) -> None:
    install("acme-sink", "acme = acme_sink:SINK")
    assert isinstance(find("acme"), SinkType)
    assert "acme" in names()


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(UnknownSinkTypeError, match="carrier_pigeon"):
        find("carrier_pigeon")


@pytest.mark.parametrize(
    ("entry_point", "code", "words"),
    [
        ("acme = broken_sink:SINK", "import a_module_that_is_missing", "can't be loaded.*a_module_that_is_missing"),
        ("acme = broken_sink:SINK", "raise RuntimeError('no licence')", "can't be loaded.*no licence"),
        ("acme = broken_sink:SINK", "", "can't be loaded.*SINK"),
        ("acme = broken_sink:SINK", "SINK = object()", "is not a sinks.contract.SinkType"),
        ("acme = broken_sink:SINK", GOOD.replace("=SinkSettings", "=dict"), "settings must derive from SinkSettings"),
    ],
)
def test_a_broken_plug_in_is_told_with_words(install: Install, entry_point: str, code: str, words: str) -> None:
    install("broken-sink", entry_point, code)
    with pytest.raises(BrokenPluginError, match=rf"sink type 'acme' \(broken_sink:SINK\).*{words}"):
        find("acme")


def test_a_plug_in_does_not_quietly_replace_a_built_in_nor_the_other_way(install: Install) -> None:
    install("acme-sink", "kafka = acme_sink:SINK")
    with pytest.raises(BrokenPluginError, match="'kafka' is claimed by the router itself and package acme-sink"):
        find("kafka")
    assert isinstance(find("file"), SinkType)
    assert names().count("kafka") == 1


def test_two_plug_ins_of_one_name_are_told_apart(install: Install) -> None:
    install("acme-sink", "acme = acme_sink:SINK")
    install("other-sink", "acme = other_sink:SINK")
    with pytest.raises(BrokenPluginError, match="claimed by package acme-sink and package other-sink"):
        find("acme")


def test_no_sink_is_imported_before_it_is_asked_for() -> None:
    code = (
        "import sys, sinks.registry; sinks.registry.names(); print([m for m in sys.modules if m.startswith('sinks.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "['sinks.settings', 'sinks.contract', 'sinks.registry']"
