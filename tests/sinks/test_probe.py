from pathlib import Path

import pytest

from router.settings import load
from sinks.probe import probe_all
from tests.doubles.plugin import install

SOURCE = """
from pathlib import Path

class Odd:
    def __init__(self, name): self.name = name

    async def open(self):
        if self.name == "away":
            raise SinkNotReadyError("the target is away")
        if self.name == "bug":
            raise KeyError("s3cr3t")

    async def close(self):
        with Path("{closed}").open("a") as file:
            file.write(self.name + " ")
        if self.name == "sticky":
            raise OSError("s3cr3t")

def build(name, settings):
    if name == "broken":
        raise ValueError("s3cr3t")
    return Odd(name)

SINK = SinkType(SinkSettings, build, lambda settings: "odd")
"""


async def test_every_sink_gets_an_answer_whatever_it_does_and_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    install(tmp_path, monkeypatch, "odd", SOURCE.replace("{closed}", str(closed)))
    names = ["good", "away", "bug", "sticky", "broken"]
    settings = load({"FER_SINKS": ",".join(names), **{f"FER_SINK__{name.upper()}__TYPE": "odd" for name in names}})
    probes = {probe.sink: probe for probe in await probe_all(settings.sinks, 5)}
    assert list(probes) == names
    assert {name for name, probe in probes.items() if probe.ok} == {"good", "sticky"}
    assert probes["away"].detail == "the target is away"
    assert probes["bug"].detail == "open() raised KeyError"
    assert probes["broken"].detail == "open() raised ValueError"
    assert "s3cr3t" not in str(probes)
    assert sorted(closed.read_text().split()) == ["away", "bug", "good", "sticky"]
