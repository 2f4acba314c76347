"""One file being written: locked, mended, and never longer than what is synced. Blocking."""

import fcntl
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from sinks.file.errors import UnfitFileError

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_TAIL_BYTES = 8 << 20
"""More than one batch, so what a crash left unsynced lies within."""
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Modes:
    """Permission bits."""

    file: int
    folder: int


class LiveFile:
    """An open file of whole lines, all of them synced. Open it with `open_live`."""

    def __init__(self, descriptor: int, path: Path, size: int, born: float) -> None:
        self.path = path
        self.size = size
        self.born = born
        self._descriptor = descriptor

    def append(self, data: bytes) -> None:
        """Write and sync. After an OSError the file is cut back and this object is closed: open it anew.

        A sync that failed is never tried again on the same descriptor: the kernel may have dropped the pages and said
        so once. The caller's events come again, and are written again.
        """
        try:
            _write(self._descriptor, data)
            os.fdatasync(self._descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
            self.close()
            raise
        self.size += len(data)

    def in_place(self) -> bool:
        """Whether the path still leads here, and nobody else wrote: another program may have moved or cut the file."""
        status = os.fstat(self._descriptor)
        return status.st_size == self.size and _leads_to(self.path, status)

    def close(self) -> None:
        """Unlock and close. Idempotent."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            with suppress(OSError):
                os.close(descriptor)


def open_live(root: Path, relative: str, modes: Modes, now: float) -> LiveFile:
    """Open or make the file, lock it, and cut what a crash left torn. Raises OSError or UnfitFileError."""
    path = root / relative
    folder = _open_folder(root, relative.split("/")[:-1], modes)
    try:
        descriptor = _open(path.name, folder, modes)
        try:
            os.fsync(folder)
            return _prepare(descriptor, path, now)
        except BaseException:
            os.close(descriptor)
            raise
    finally:
        os.close(folder)


def sync_folder(folder: Path) -> None:
    """Make names in the folder durable."""
    descriptor = os.open(folder, _FOLDER)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_root(root: Path, mode: int) -> None:
    """Make the root folder and whatever is missing above it, durably."""
    missing = []
    while not root.exists():
        missing.append(root)
        root = root.parent
    for folder in reversed(missing):
        with suppress(FileExistsError):
            folder.mkdir(mode)
        sync_folder(folder.parent)


def _open_folder(root: Path, names: list[str], modes: Modes) -> int:
    """Go down from the root, making what is missing. No symbolic link below the root is followed."""
    make_root(root, modes.folder)
    current = os.open(root, _FOLDER)
    for name in names:
        try:
            below = _enter(name, current, modes.folder)
        finally:
            os.close(current)
        current = below
    return current


def _enter(name: str, folder: int, mode: int) -> int:
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        with suppress(FileExistsError):
            os.mkdir(name, mode, dir_fd=folder)
        os.fsync(folder)
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)


def _open(name: str, folder: int, modes: Modes) -> int:
    try:
        return os.open(name, _FLAGS, dir_fd=folder)
    except FileNotFoundError:
        descriptor = os.open(name, _FLAGS | os.O_CREAT, modes.file, dir_fd=folder)
        os.fchmod(descriptor, modes.file)
        return descriptor


def _prepare(descriptor: int, path: Path, now: float) -> LiveFile:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise UnfitFileError("in_the_way", "something that is no plain file stands there")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UnfitFileError("locked", "another router or sink writes to this file") from error
    if not _leads_to(path, status):
        raise UnfitFileError("locked", "another router or sink has just closed this file")
    size = _mend(descriptor, os.fstat(descriptor).st_size)
    return LiveFile(descriptor, path, size, _born(descriptor, now, status.st_mtime) if size else now)


def _leads_to(path: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.lstat(), status)
    except FileNotFoundError:
        return False


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _mend(descriptor: int, size: int) -> int:
    """Cut the file behind its last sound line; its length then.

    A kill leaves half a line, a loss of power also holes of zeros, which no JSON has. What is cut was never Delivered.
    """
    if size == 0:
        return 0
    start = max(0, size - _TAIL_BYTES)
    tail = os.pread(descriptor, size - start, start)
    hole = tail.find(b"\0")
    sound = tail if hole < 0 else tail[:hole]
    end = sound.rfind(b"\n") + 1
    torn = sound[end:]
    if end == 0 and start > 0:
        raise UnfitFileError("not_json_lines", f"its last {_TAIL_BYTES >> 20} MiB hold no line end")
    if torn and not torn.startswith(b"{"):
        raise UnfitFileError("not_json_lines", "its last line is no JSON object, so it isn't ours; move it away")
    if start + end < size:
        os.ftruncate(descriptor, start + end)
        os.fdatasync(descriptor)
    return start + end


def _born(descriptor: int, now: float, modified: float) -> float:
    """When the first event was written, as nearly as the file tells: it was recorded before."""
    first = b""
    while b"\n" not in first and len(first) < _TAIL_BYTES:
        first += os.pread(descriptor, _BLOCK, len(first))
    try:
        document: dict[str, Any] = orjson.loads(first.partition(b"\n")[0])
        recorded = datetime.fromisoformat(document["recordedtime"]).timestamp()
    except (ValueError, KeyError, TypeError):
        recorded = modified
    return min(recorded, now)
