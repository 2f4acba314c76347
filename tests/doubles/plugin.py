"""Installs a sink plug-in for the length of one test, as pip would: a module and an entry point on the path."""

import sys
from pathlib import Path

import pytest

BODY = """
from router.envelope import Envelope
from sinks.contract import DELIVERED, SinkNotReadyError, SinkType
from sinks.settings import SinkSettings
"""


def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: str, source: str) -> None:
    """Make `type_` a sink type whose module holds `source`, which is to define SINK."""
    module = f"plugin_{type_}"
    info = tmp_path / f"{module}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[event_router.sinks]\n{type_} = {module}:SINK\n")
    (tmp_path / f"{module}.py").write_text(BODY + source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, module, raising=False)
