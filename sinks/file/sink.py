"""Files of JSON Lines as a sink: Delivered means synced to the disk."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from router.clock import Clock, SystemClock
from router.envelope import Envelope
from sinks.contract import DELIVERED, Outcome, SinkNotReadyError, Unavailable
from sinks.file.compress import compress, walk
from sinks.file.encode import by_file
from sinks.file.errors import words_of
from sinks.file.settings import FileSettings
from sinks.file.writer import Writer
from sinks.worker import Worker

CLOSE_SECONDS = 10.0


class FileSink:
    """Writes in one thread, compresses in another. A scope is a file, by its path below the root."""

    max_events = 2000
    max_bytes = 4 << 20
    concurrency = 1
    keeps_order = True

    def __init__(self, name: str, settings: FileSettings, clock: Clock | None = None) -> None:
        self._name = name
        self._settings = settings
        self._template = settings.template
        self._clock = clock or SystemClock()
        self._writer = Writer(self._template, settings, self._clock, self._closed_for_good)
        self._disk = Worker(f"file sink {name}")
        self._compression = Worker(f"compression {name}")
        self._stopped = threading.Event()
        self._open = False

    async def open(self) -> None:
        """Make the root folder, then look for what earlier runs left. Raises SinkNotReadyError."""
        if self._open:
            return
        try:
            await self._disk.run(self._writer.prepare)
        except OSError as error:
            raise SinkNotReadyError(f"{self._writer.root}: {words_of(error)}") from error
        self._stopped.clear()
        self._open = True
        if self._settings.compression != "none" or self._settings.max_age_seconds:
            self._compression.submit(self._look_around)

    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        """Write and sync. The events of a file share its fate, so none is written behind one that failed."""
        if not self._open:
            return [Unavailable("closed", "the file sink is not open")] * len(batch)
        parts = by_file(batch, self.scope)
        failures = await self._disk.run(lambda: self._writer.write(parts))
        outcomes: list[Outcome] = [DELIVERED] * len(batch)
        for file, failure in failures.items():
            for index in parts[file].indices:
                outcomes[index] = failure
        return outcomes

    async def close(self) -> None:
        """Close the files. A compression under way is given up, and done at the next open()."""
        if not self._open:
            return
        self._open = False
        self._stopped.set()
        self._disk.submit(self._writer.close)
        await self._disk.stop(CLOSE_SECONDS)
        await self._compression.stop(CLOSE_SECONDS)

    def scope(self, envelope: Envelope) -> str:
        """The event's file: one that can't be written holds up no other."""
        return self._template.relative(envelope, self._name)

    def _closed_for_good(self, path: Path) -> None:
        if self._settings.compression != "none":
            self._compression.submit(lambda: self._compress(path))

    def _compress(self, path: Path) -> None:
        method = self._settings.compression
        if method != "none" and not self._stopped.is_set():
            with suppress(OSError):
                compress(path, method, self._settings.file_mode, self._stopped.is_set)

    def _look_around(self) -> None:
        """Take up what earlier runs left: closed files to compress, live ones to close."""
        now = self._clock.wall()
        for relative in walk(self._writer.root):
            if self._stopped.is_set():
                return
            if self._template.closed.fullmatch(relative):
                self._compress(self._writer.root / relative)
            elif self._template.live.fullmatch(relative) and self._due_some_time(relative, now):
                self._writer.found.append(relative)

    def _due_some_time(self, relative: str, now: float) -> bool:
        return self._settings.max_age_seconds > 0 or self._template.over(relative, now)
