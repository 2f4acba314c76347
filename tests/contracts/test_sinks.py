"""The conformance suite over the sinks that come with the router and need no server."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from sinks import file, memory, stdout
from sinks.contract import Sink
from sinks.file.settings import FileSettings
from sinks.memory import MemorySettings, MemorySink
from sinks.stdout import StdoutSettings, StdoutSink
from sinks.testing.suite import (
    RecoveringTarget,
    RecoveryContract,
    SinkContract,
    Target,
    UnreachableContract,
    UnreachableTarget,
)
from tests.doubles.waiting import whole_lines


class FileTarget(RecoveringTarget, UnreachableTarget):
    sink_type = file.SINK

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = folder / "events"

    def settings(self) -> FileSettings:
        return FileSettings(type="file", path=f"{self._root}/{{date}}/{{event_type}}.jsonl", max_bytes=300 << 10)

    async def arrived(self) -> list[dict[str, Any]]:
        paths = sorted(self._root.rglob("*.jsonl"), key=lambda path: (path.parent, "@" not in path.name, path.name))
        return [orjson.loads(line) for path in paths for line in whole_lines(path)]

    def unreachable(self) -> Sink:
        (self._folder / "plain").write_text("no folder")
        return self.sink_type.build("contract", FileSettings(type="file", path=f"{self._folder}/plain/x/{{app}}.jsonl"))

    async def go_away(self) -> None:
        self._root.rename(self._folder / "elsewhere")
        self._root.write_text("in the way")

    async def come_back(self) -> None:
        self._root.unlink()
        (self._folder / "elsewhere").rename(self._root)


class TestFile(SinkContract, UnreachableContract, RecoveryContract):
    @pytest.fixture
    def target(self, tmp_path: Path) -> FileTarget:
        return FileTarget(tmp_path)


class StdoutTarget(UnreachableTarget):
    """A pipe with a reader, as a shell would make it."""

    sink_type = stdout.SINK

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        self._lines: list[bytes] = []
        self._seen = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self._unread: list[int] = []

    def settings(self) -> StdoutSettings:
        return StdoutSettings(type="stdout")

    def build(self) -> Sink:
        return StdoutSink(descriptor=self._writing)

    async def arrived(self) -> list[dict[str, Any]]:
        os.write(self._writing, b"\n")
        with self._seen:
            assert self._seen.wait_for(lambda: b"\n" in self._lines, timeout=10)
            self._lines.remove(b"\n")
            return [orjson.loads(line) for line in self._lines]

    def unreachable(self) -> Sink:
        reading, writing = os.pipe()
        os.close(reading)
        self._unread.append(writing)
        return StdoutSink(descriptor=writing)

    def end(self) -> None:
        os.close(self._writing)
        self._reader.join(timeout=10)
        for descriptor in self._unread:
            os.close(descriptor)

    def _read(self) -> None:
        with os.fdopen(self._reading, "rb") as lines:
            for line in lines:
                with self._seen:
                    self._lines.append(line)
                    self._seen.notify_all()


class TestStdout(SinkContract, UnreachableContract):
    @pytest.fixture
    def target(self) -> Iterator[StdoutTarget]:
        target = StdoutTarget()
        yield target
        target.end()


class MemoryTarget(Target):
    sink_type = memory.SINK

    def __init__(self) -> None:
        self._built: list[MemorySink] = []

    def settings(self) -> MemorySettings:
        return MemorySettings(type="memory")

    def build(self) -> Sink:
        sink = MemorySink(self.settings().capacity)
        self._built.append(sink)
        return sink

    async def arrived(self) -> list[dict[str, Any]]:
        return [envelope.document() for sink in self._built for envelope in sink.envelopes]


class TestMemory(SinkContract):
    @pytest.fixture
    def target(self) -> MemoryTarget:
        return MemoryTarget()
