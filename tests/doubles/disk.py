"""A disk that fails: the system calls of this process, made to fail where a real disk would."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    """The kernel refuses to let any file grow beyond: it takes part of a write, then says EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def held_below(folder: Path) -> int:
    """How many of this process's descriptors are of files and folders below the folder."""
    return sum(link.resolve().is_relative_to(folder) for link in Path("/proc/self/fd").iterdir())


class FailingDisk:
    """Makes the next writes and syncs of regular files fail, as many as asked for.

    room: bytes that still fit before a write fails with `write_error`, part of it done; None: no limit.
    syncs: what the next syncs fail with, one each; synced: lengths of the files at the syncs that went well.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: int | None = None
        self.write_error = errno.ENOSPC
        self.syncs: list[int] = []
        self.synced: list[int] = []
        self._write, self._sync = os.write, os.fdatasync
        monkeypatch.setattr(os, "write", self._writing)
        monkeypatch.setattr(os, "fdatasync", self._syncing)

    def _writing(self, descriptor: int, data: bytes) -> int:
        if self.room is None:
            return self._write(descriptor, data)
        if self.room == 0:
            raise OSError(self.write_error, os.strerror(self.write_error))
        taken = self._write(descriptor, memoryview(data)[: self.room])
        self.room -= taken
        return taken

    def _syncing(self, descriptor: int) -> None:
        if self.syncs:
            number = self.syncs.pop(0)
            raise OSError(number, os.strerror(number))
        self._sync(descriptor)
        self.synced.append(os.fstat(descriptor).st_size)
