"""What must hold before the journal is opened: one router, a local file system, a whole file."""

import fcntl
import os
import sqlite3
import struct
import sys
import time
from pathlib import Path
from typing import IO

from router.journal import schema
from router.journal.ballast import ballast_path
from router.journal.contract import JournalDamagedError, JournalOpenError

NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs"}
    | {"orangefs", "ocfs2", "gfs2", "vboxsf", "prl_fs", "ncpfs"}
)
"""Where WAL's shared memory or locks don't hold between machines. overlay, virtiofs and the like are local."""
LOCAL_FUSE = frozenset({"fuse.fuse-overlayfs", "fuseblk", "fuse.lxcfs"})
QUICK_CHECK_BYTES = 128 << 20
"""Up to here every page is checked at each start: 0.1 s, from a cold disk about 1 s."""
UNCLEAN_CHECK_BYTES = 1 << 30
"""And up to here when the router was not closed. Beyond, only what `check_whole` always looks at: minutes, else."""
READERS_SECONDS = 10.0
"""How long a router that starts waits for commands that look into its journal."""
SUFFIXES = ("", "-wal", "-shm", ".ballast")


class Lock:
    """Held from construction by `take` until `release`; the kernel lets it go when the process dies."""

    def __init__(self, handle: int | None) -> None:
        self._handle = handle

    def release(self) -> None:
        """Idempotent. The file stays: unlinking it would let two routers lock two files."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def take(path: Path) -> Lock:
    """Lock the journal at `path`, after those who only look into it. Raises JournalOpenError naming the holder, OSError."""
    file = lock_path(path)
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock_alone(handle, path, file)
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
    except BaseException:
        os.close(handle)
        raise
    return Lock(handle)


def share(path: Path) -> Lock:
    """Keep routers from opening the journal while it is looked into; changes nothing. Raises JournalOpenError, OSError."""
    file = lock_path(path)
    if not file.exists():
        return Lock(None)  # no router was here: a copy, or a backup
    handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    if not _try_lock(handle, fcntl.LOCK_SH):
        holder = _holder(handle)
        os.close(handle)
        raise JournalOpenError(f"{path} is in use by router process {holder}: ask that one, through its admin port")
    return Lock(handle)


def lock_path(path: Path) -> Path:
    """The file that is locked; it stays, and its content counts for nothing while it isn't."""
    return path.with_name(path.name + ".lock")


def _lock_alone(handle: int, path: Path, file: Path) -> None:
    end = time.monotonic() + READERS_SECONDS
    while not _try_lock(handle, fcntl.LOCK_EX):
        if not _try_lock(handle, fcntl.LOCK_SH):
            raise JournalOpenError(
                f"{path} is in use by another router (process {_holder(handle)}, lock file {file}): "
                "stop that one, or give this one another FER_DATA_DIR"
            )
        if time.monotonic() >= end:
            raise JournalOpenError(f"{path} is being read by a command that has {file} open: end that one")
        time.sleep(0.05)


def _try_lock(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(handle: int) -> str:
    return os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "unknown"


def file_system(directory: Path, mountinfo: str) -> str:
    """The type of the file system that holds the (resolved) directory, by /proc/self/mountinfo; "" when unknown."""
    best, found = -1, ""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(" "), right.split(" ")[0]
        if len(fields) < 5 or not kind:
            continue
        mount = Path(_unescape(fields[4]))
        if directory.is_relative_to(mount) and len(mount.parts) >= best:
            best, found = len(mount.parts), kind
    return found


def refuse_network(directory: Path, mountinfo: str) -> None:
    """Raises JournalOpenError when the directory is on a network file system."""
    kind = file_system(directory, mountinfo)
    if kind in NETWORK or (kind.startswith("fuse.") and kind not in LOCAL_FUSE):
        raise JournalOpenError(
            f"{directory} is on a network file system ({kind}): locks and the write-ahead log don't hold there, events "
            "could be lost. Put FER_DATA_DIR on a local disk or a block volume"
        )


def _unescape(field: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, char)
    return field


def prepare_directory(directory: Path) -> None:
    """Make it where there is none, and see that it is local. Raises JournalOpenError."""
    try:
        if not directory.exists():
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_directory(directory.parent)
        refuse_network(directory.resolve(), Path("/proc/self/mountinfo").read_text("utf-8", "replace"))
    except OSError as error:
        raise JournalOpenError(
            f"can't use the directory {directory}: {error.strerror}. Set FER_DATA_DIR to one that this user can write"
        ) from error


def create(path: Path) -> None:
    """Make an empty file where there is none, private, and make its name last. Raises OSError."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make new names last. Raises OSError."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def damaged(path: Path, detail: str) -> JournalDamagedError:
    """The error for a file that can't be trusted."""
    return JournalDamagedError(
        f"{path} is damaged ({detail}). Restore it from a backup, or start once with "
        "`feishu-event-router run --set-aside-damaged-journal`: it renames the file and begins an empty journal; "
        "what was not delivered yet stays in the renamed file"
    )


def check_header(path: Path) -> None:
    """Look at the first bytes, before SQLite does. Raises JournalOpenError, OSError."""
    with path.open("rb") as file:
        head = file.read(100)
    if not head:
        if ballast_path(path).exists():  # made only beside a journal that was whole once
            raise damaged(path, "it is empty")
        return
    if len(head) < 100 or head[:16] != b"SQLite format 3\x00":
        raise damaged(path, "it is no SQLite database")
    application = struct.unpack(">I", head[68:72])[0]
    size = struct.unpack(">H", head[16:18])[0]
    if application == schema.APPLICATION_ID and size != schema.PAGE_SIZE:
        raise damaged(path, f"its page size is {size}")


_LOG_HEADER, _FRAME_HEADER = struct.Struct(">8I"), struct.Struct(">6I")
_LOG_MAGIC = {0x377F0682: "little", 0x377F0683: "big"}
_FRAME_SIZE = _FRAME_HEADER.size + schema.PAGE_SIZE


def check_log(path: Path) -> None:
    """Look at the log that a crash has left, before SQLite does. Raises JournalOpenError, OSError.

    SQLite takes the log to end at the first frame whose checksum is wrong. That is right for what was being written when
    the power went, and loses commits without a word when the frame has been damaged since. A commit is synced before the
    next one is written, so a whole frame of a later commit tells the two apart. Source: sqlite.org/fileformat2, section 4.
    """
    log = path.with_name(path.name + "-wal")
    if not log.exists() or log.stat().st_size < _LOG_HEADER.size + _FRAME_SIZE:
        return
    if path.stat().st_size == 0:
        raise damaged(path, "it is empty, its log is not")
    with log.open("rb") as file:
        lost = _commits_after_damage(file)
    if lost:
        raise damaged(path, f"its log is broken before its end, {lost} or more commits are unreadable")


def _commits_after_damage(file: IO[bytes]) -> int:
    """How many commits of the log, at least, were synced and lie at or behind the first thing in it that is not whole."""
    header = file.read(_LOG_HEADER.size)
    magic, _, _, _, *salts, first, second = _LOG_HEADER.unpack(header)
    order, chain, known = _LOG_MAGIC.get(magic, sys.byteorder), (first, second), salts
    sound = magic in _LOG_MAGIC and _checksum(order, header[:24], (0, 0)) == chain
    broken = not sound
    ends, lost = int(broken), 0  # the header is synced before any frame is written
    while len(frame := file.read(_FRAME_SIZE)) == _FRAME_SIZE:
        _, size, *found, first, second = _FRAME_HEADER.unpack_from(frame)
        ours = found == known
        whole = ours and _checksum(order, frame[24:], _checksum(order, frame[:8], chain)) == (first, second)
        lost = ends if broken and whole else lost
        broken = broken or not whole
        ends += broken and ours and size > 0
        chain, known = (first, second), salts if sound else found
    return lost


def _checksum(order: str, data: bytes, start: tuple[int, int]) -> tuple[int, int]:
    """SQLite's, over pairs of words."""
    first, second = start
    words = iter(struct.unpack(f"{'<' if order == 'little' else '>'}{len(data) // 4}I", data))
    for one, other in zip(words, words, strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second


def check_whole(connection: sqlite3.Connection, path: Path, *, thorough: bool) -> None:
    """Check a database whose log is empty: its length, tables, the ends of each table; thorough: every page.

    Raises JournalOpenError, sqlite3.Error.
    """
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    if path.stat().st_size < pages * schema.PAGE_SIZE:
        raise damaged(path, f"it is shorter than its {pages} pages")
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    missing = [table for table in schema.TABLES if table not in names]
    if missing:
        raise damaged(path, f"without table {missing[0]}")
    for table in schema.TABLES:
        key = "rowid" if table in ("events", "dead_letters", "state") else "1"
        for way in ("ASC", "DESC"):
            connection.execute(f"SELECT * FROM {table} ORDER BY {key} {way} LIMIT 1").fetchall()  # noqa: S608 - our own names
    if connection.execute("SELECT count(*) FROM state").fetchone()[0] != 1:
        raise damaged(path, "its state row is missing")
    if thorough:
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise damaged(path, verdict)
        _check_counts(connection, path)


def _check_counts(connection: sqlite3.Connection, path: Path) -> None:
    """What the triggers have counted must be there: pages that took each other's places are each whole. Raises as above."""
    for table, column in (("parked", "parked"), ("dead_letters", "dead")):
        counted = dict(connection.execute(f"SELECT lane, {column} FROM tallies WHERE {column} <> 0"))  # noqa: S608 - our own names
        found = dict(connection.execute(f"SELECT lane, count(*) FROM {table} GROUP BY lane"))  # noqa: S608 - as above
        if counted != found:
            raise damaged(path, f"it has {sum(found.values())} rows in {table} and counts {sum(counted.values())}")


def check_free_list(path: Path) -> None:
    """Walk the trunk pages of the free list, while no connection is open. Raises JournalOpenError, OSError."""
    pages = path.stat().st_size // schema.PAGE_SIZE
    with path.open("rb") as file:
        file.seek(32)
        trunk, total = struct.unpack(">II", file.read(8))
        seen, found = 0, 0
        while trunk:
            if trunk > pages or seen > pages:
                raise damaged(path, "its list of free pages leads nowhere")
            file.seek((trunk - 1) * schema.PAGE_SIZE)
            trunk, leaves = struct.unpack(">II", file.read(8))
            if leaves > schema.PAGE_SIZE // 4 - 2:
                raise damaged(path, "its list of free pages is broken")
            seen, found = seen + 1, found + 1 + leaves
    if found != total:
        raise damaged(path, f"it lists {found} free pages and counts {total}")


def set_aside(path: Path) -> Path | None:
    """Rename a damaged journal's files to `….damaged-<time>`, so that the next start begins an empty one.

    Gives the renamed database; None when there is none, or nothing wrong with it: then it stays, as its events are owed
    to sinks. Raises JournalOpenError while a router has it open or when it is no journal of ours, OSError.
    """
    from router.journal.opening import check_all  # noqa: PLC0415 - opening leans on this module

    if not path.exists():
        return None
    lock = take(path)
    try:
        try:
            check_all(path)
        except JournalDamagedError:
            pass
        else:
            return None
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        for suffix in SUFFIXES[::-1]:
            file = path.with_name(path.name + suffix)
            if suffix == ".ballast":
                file.unlink(missing_ok=True)
            elif file.exists():
                file.rename(path.with_name(f"{path.name}.damaged-{stamp}{suffix}"))
        sync_directory(path.parent)
        return path.with_name(f"{path.name}.damaged-{stamp}")
    finally:
        lock.release()
