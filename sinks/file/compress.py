"""Closed files are compressed in a thread of their own; what an interruption leaves is taken up at the next open()."""

import fcntl
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

from sinks.file.live import sync_folder

SUFFIXES = {"gzip": ".gz", "zstd": ".zst"}
DRAFT = ".tmp"
Method = Literal["gzip", "zstd"]
_CHUNK = 1 << 20
_GZIP = 31
"""zlib's word for a gzip header and trailer around the data."""


class _Compressor(Protocol):
    def add(self, chunk: bytes) -> bytes: ...
    def end(self) -> bytes: ...


class _Gzip:
    def __init__(self) -> None:
        self._stream = zlib.compressobj(wbits=_GZIP)
        self.add = self._stream.compress
        self.end = self._stream.flush


class _Zstd:
    def __init__(self) -> None:
        from cramjam import zstd  # noqa: PLC0415 - most routers don't compress

        self._stream = zstd.Compressor(level=3)

    def add(self, chunk: bytes) -> bytes:
        self._stream.compress(chunk)
        return bytes(self._stream.flush())

    def end(self) -> bytes:
        return bytes(self._stream.finish())


def compress(path: Path, method: Method, mode: int, stopped: Callable[[], bool]) -> bool:
    """Put `path`.gz or .zst in the place of `path`, whole or not at all. False when stopped, or another one is at it.

    Raises OSError; the original stays until the compressed file is durable.
    """
    target = path.with_name(path.name + SUFFIXES[method])
    draft = target.with_name(target.name + DRAFT)
    with path.open("rb") as source:
        try:
            fcntl.flock(source, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        try:
            if not _fill(source.fileno(), draft, _Gzip() if method == "gzip" else _Zstd(), mode, stopped):
                draft.unlink()
                return False
        except OSError:
            with suppress(OSError):
                draft.unlink()
            raise
        draft.rename(target)
        sync_folder(path.parent)
        for suffix in SUFFIXES.values():
            path.with_name(path.name + suffix + DRAFT).unlink(missing_ok=True)
        path.unlink()
        sync_folder(path.parent)
    return True


def walk(root: Path) -> Iterator[str]:
    """All plain files below the root, by their path relative to it."""
    for folder, _, names in os.walk(root):
        for path in (Path(folder, name) for name in names):
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(root).as_posix()


def _fill(source: int, draft: Path, stream: _Compressor, mode: int, stopped: Callable[[], bool]) -> bool:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(draft, flags, mode), "wb") as target:
        os.fchmod(target.fileno(), mode)
        while chunk := os.read(source, _CHUNK):
            if stopped():
                return False
            target.write(stream.add(chunk))
        target.write(stream.end())
        target.flush()
        status = os.fstat(source)
        os.utime(target.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
        os.fsync(target.fileno())
    return True
