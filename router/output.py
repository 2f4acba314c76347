"""Standard output and standard error, and what becomes of a program that can't write to them."""

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class OutputError(OSError):
    """Standard output can't be written: the disk is full, say. A pipe that nobody reads stays a BrokenPipeError."""

    def __str__(self) -> str:
        return f"can't write the output: {self.strerror}"


def guard() -> None:
    """From now on: what can't be written to standard output raises OutputError; what can't be to standard error is dropped."""
    # None: closed before we were started
    if sys.stdout is not None:
        sys.stdout = _over(_Output(sys.stdout.fileno(), "wb", closefd=False), sys.stdout)
    if sys.stderr is not None:
        sys.stderr = _over(_Errors(sys.stderr.fileno(), "wb", closefd=False), sys.stderr)


def _over(raw: io.FileIO, like: TextIO) -> TextIO:
    # PYTHONUNBUFFERED makes writes go through instead of lines
    lines = bool(like.line_buffering) or getattr(like, "write_through", False)
    return io.TextIOWrapper(io.BufferedWriter(raw), like.encoding, like.errors, line_buffering=lines)


class _Output(io.FileIO):
    """Fails once and then takes everything: Python writes again what is left in its buffers, at the latest when it ends."""

    _failed = False

    def write(self, data: "ReadableBuffer", /) -> int:
        if self._failed:
            return memoryview(data).nbytes
        try:
            return _written(super().write(data))
        except OSError as error:
            self._failed = True
            if isinstance(error, BrokenPipeError):
                raise
            raise OutputError(error.errno, error.strerror) from error


class _Errors(io.FileIO):
    """Drops what can't be written: a router whose log's disk is full goes on, and its log as soon as there is room."""

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return _written(super().write(data))
        except OSError:
            return memoryview(data).nbytes


def _written(count: int | None) -> int:
    """None: somebody who shares the pipe or terminal has made it non-blocking, and it takes nothing now."""
    if count is None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return count
