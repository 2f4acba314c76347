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
_LONGEST_LINE = 128 << 20
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
        self._unsynced = 0

    def write(self, data: bytes) -> None:
        """Append whole lines; they count once synced. After an OSError the file is cut back, and closed: open it anew."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            self._take_back()
            raise
        self._unsynced += len(data)

    def sync(self) -> None:
        """Make what was written durable. After an OSError the file is cut back, and closed: open it anew.

        A sync that failed is never tried again on the same descriptor: the kernel may have dropped the pages and said
        so once. The caller's events come again, and are written again.
        """
        try:
            os.fdatasync(self._descriptor)
        except OSError:
            self._take_back()
            raise
        self.size += self._unsynced
        self._unsynced = 0

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

    def _take_back(self) -> None:
        with suppress(OSError):
            os.ftruncate(self._descriptor, self.size)
        self.close()


def open_live(root: Path, relative: str, modes: Modes, now: float, sound: int = 0) -> LiveFile:
    """Open or make the file, lock it, and cut what a crash left torn. Raises OSError or UnfitFileError.

    sound: the length at which this process closed it; not looked through again if it is still that.
    """
    path = root / relative
    folder = _open_folder(root, relative.split("/")[:-1], modes)
    try:
        descriptor = _open(path.name, folder, modes)
        try:
            os.fsync(folder)
            return _prepare(descriptor, path, now, sound)
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


def _prepare(descriptor: int, path: Path, now: float, sound: int) -> LiveFile:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise UnfitFileError("in_the_way", "something that is no plain file stands there")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UnfitFileError("locked", "another router or sink writes to this file") from error
    if not _leads_to(path, status):
        raise UnfitFileError("locked", "another router or sink has just closed this file")
    size = os.fstat(descriptor).st_size
    if size != sound:
        size = _mend(descriptor, size)
    return LiveFile(descriptor, path, size, _born(descriptor, now, status.st_mtime) if size else now)


def _leads_to(path: Path, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.lstat(), status)
    except FileNotFoundError:
        return False


def _mend(descriptor: int, size: int) -> int:
    """Cut the file behind its last sound line; its length then.

    A kill leaves half a line, a loss of power also holes of zeros, which no JSON has. What is cut was never Delivered.
    """
    start, sound, end = size, b"", 0
    for length in (_TAIL_BYTES, _LONGEST_LINE):
        if end == 0 and start > 0:
            start = max(0, size - length)
            sound = os.pread(descriptor, size - start, start).partition(b"\0")[0]
            end = sound.rfind(b"\n") + 1
    if (end == 0 and start > 0) or sound[end : end + 1] not in {b"", b"{"}:
        raise UnfitFileError("not_json_lines", "it doesn't end like a file of ours; move it away")
    if start + end < size:
        os.ftruncate(descriptor, start + end)
        os.fdatasync(descriptor)
    return start + end


def _born(descriptor: int, now: float, modified: float) -> float:
    """When the first event was written, as nearly as the file tells: it was recorded before."""
    first = block = os.pread(descriptor, _BLOCK, 0)
    while block and b"\n" not in block and len(first) < _TAIL_BYTES:
        block = os.pread(descriptor, _BLOCK, len(first))
        first += block
    try:
        document: dict[str, Any] = orjson.loads(first.partition(b"\n")[0])
        recorded = datetime.fromisoformat(document["recordedtime"]).timestamp()
    except (ValueError, KeyError, TypeError):
        recorded = modified
    return min(recorded, now)
