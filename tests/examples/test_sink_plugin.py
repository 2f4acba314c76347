"""The example plug-in, built and installed as its users would, away from the tree."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/sink_plugin"
CHECK = (
    "from sinks.registry import find, names; import event_router_sqlite\n"
    "assert 'sqlite' in names(); assert find('sqlite') is event_router_sqlite.SINK\n"
    "print(event_router_sqlite.__file__)"
)
SUITE_IS_INSTALLED = """
import os

import router
import sinks.testing

def pytest_configure(config):
    folder = os.environ["PYTHONPATH"]
    assert all(module.__file__.startswith(folder) for module in (router, sinks.testing))
    assert config.pluginmanager.get_plugin("event_router") is sinks.testing
    assert config.pluginmanager.has_plugin("event_router_journal")
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the router and the plug-in in it, built and installed by pip without a network."""
    target = tmp_path_factory.mktemp("installed")
    options = [
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--disable-pip-version-check",
        "--no-cache-dir",
    ]
    run([sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(ROOT), str(EXAMPLE)])
    return target


def run(command: list[str], folder: Path = ROOT, **environment: str) -> str:
    environ = {**os.environ, **environment}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_router_finds_it_by_its_entry_point(installed: Path) -> None:
    where = run([sys.executable, "-c", CHECK], PYTHONPATH=str(installed))
    assert Path(where.strip()) == installed / "event_router_sqlite.py"


def test_it_passes_the_conformance_suite_as_its_author_has_it(installed: Path, tmp_path: Path) -> None:
    """In a folder of its own, with the suite that is in the wheel: pytest finds it by its entry point."""
    away = tmp_path / "sink_plugin"
    shutil.copytree(EXAMPLE, away, ignore=shutil.ignore_patterns("__pycache__"))
    (away / "event_router_sqlite.py").unlink()
    (away / "conftest.py").write_text(SUITE_IS_INSTALLED)
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    said = run([sys.executable, "-P", "-m", "pytest", *options], away, PYTHONPATH=str(installed), PYTEST_ADDOPTS="")
    assert re.search(r"^2\d passed", said, re.MULTILINE), said
    assert "skipped" not in said


def test_the_wheel_asks_for_pytest_only_where_it_is_wanted(installed: Path) -> None:
    info = next(installed.glob("feishu_event_router-*.dist-info"))
    metadata = (info / "METADATA").read_text()
    asked = [line for line in metadata.splitlines() if line.startswith("Requires-Dist: pytest")]
    assert len(asked) == 2
    assert all("extra == 'testing'" in line for line in asked)


def test_the_router_takes_its_settings_from_the_environment(installed: Path, tmp_path: Path) -> None:
    said = run(
        [sys.executable, "-m", "router", "check", "--connect"],
        PYTHONPATH=str(installed),
        FER_DATA_DIR=str(tmp_path),
        FER_SINKS="db",
        FER_SINK__DB__TYPE="sqlite",
        FER_SINK__DB__PATH=str(tmp_path / "events.db"),
    )
    assert f"SQLite {tmp_path}/events.db, table events" in said
    assert (tmp_path / "events.db").exists()


def test_it_stays_small_enough_to_learn_from() -> None:
    lines = (EXAMPLE / "event_router_sqlite.py").read_text().splitlines()
    assert len([line for line in lines if line.strip() and not line.strip().startswith(("#", '"""'))]) < 120
