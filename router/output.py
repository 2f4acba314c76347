"""Standard output, and what becomes of a command whose output can't be written."""

import io
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class OutputError(OSError):
    """Standard output can't be written: the disk is full, say. A pipe that nobody reads stays a BrokenPipeError."""

    def __str__(self) -> str:
        return f"can't write the output: {self.strerror}"


def guard() -> None:
    """Let what is written to standard output from now on raise OutputError where it fails."""
    out = sys.stdout
    if out is None:  # closed before we were started
        return
    raw = io.BufferedWriter(_Output(out.fileno(), "wb", closefd=False))
    sys.stdout = io.TextIOWrapper(raw, out.encoding, out.errors, line_buffering=bool(out.line_buffering))


class _Output(io.FileIO):
    """Fails once and then takes everything: Python writes again what is left in its buffers, at the latest when it ends."""

    _failed = False

    def write(self, data: "ReadableBuffer", /) -> int:
        if self._failed:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except OSError as error:
            self._failed = True
            if isinstance(error, BrokenPipeError):
                raise
            raise OutputError(error.errno, error.strerror) from error
