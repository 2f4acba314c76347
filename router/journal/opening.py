"""Opening the journal's file, step by step. Blocking."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from router.envelope import Envelope
from router.journal import ballast, guard, schema
from router.journal.contract import JournalOpenError
from router.journal.limits import MIB

MIN_SQLITE = (3, 35, 0)
UNREADABLE = sqlite3.Error, UnicodeDecodeError
"""What SQLite raises for a file that it can't read; the latter where its message quotes what should be text and isn't."""


def open_writer(path: Path) -> tuple[sqlite3.Connection, bool]:
    """The writing connection of a locked journal, made, migrated and checked; and whether the last end was unclean.

    Raises JournalOpenError.
    """
    if sqlite3.sqlite_version_info < MIN_SQLITE:
        raise JournalOpenError(f"SQLite {sqlite3.sqlite_version} is too old, 3.35 or later is needed")
    try:
        if shutil.disk_usage(path.parent).free < MIB:
            ballast.release(path)  # SQLite can't even map its index, else
        guard.create(path)
        guard.check_header(path)
        log = path.with_name(path.name + "-wal")
        unclean = log.exists() and log.stat().st_size > 0
        if unclean:
            guard.check_log(path)
    except OSError as error:
        raise JournalOpenError(f"can't open {path}: {error.strerror}") from error
    try:
        if _prepare(path, unclean=unclean):
            guard.check_free_list(path)
        return _connect(path), unclean
    except UNREADABLE as error:
        raise explain(error, path) from error


def check_all(path: Path) -> None:
    """Every page and every event of a locked journal, which takes its time. Raises JournalOpenError."""
    connection, _ = open_writer(path)
    with closing(connection):
        try:
            guard.check_whole(connection, path, thorough=True)
            for position, body in connection.execute("SELECT position, body FROM events"):
                try:
                    Envelope.from_json(body)
                except ValueError:
                    raise guard.damaged(path, f"event {position} can't be read") from None
        except UNREADABLE as error:
            raise explain(error, path) from error


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that can only read and never checkpoints, giving text as bytes. Raises sqlite3.Error."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.text_factory = bytes
    connection.execute("PRAGMA busy_timeout=5000")
    # having read once it holds the shared lock, so that closing a failed writer beside it can't checkpoint
    connection.execute("SELECT * FROM state").fetchall()
    return connection


def explain(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> JournalOpenError:
    """What an error of SQLite at start means for the operator."""
    if isinstance(error, UnicodeDecodeError):
        return guard.damaged(path, "the description of its tables isn't text")
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return guard.damaged(path, str(error))
    if is_full(error):
        return JournalOpenError(f"no space left to open {path}: free some on its disk")
    return JournalOpenError(f"can't open {path}: {error}")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64, timeout=5)
    try:
        version = _version(connection, path)
        schema.configure(connection)
        _check_mode(connection, path)
        schema.migrate(connection, version)
        guard.sync_directory(path.parent)
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version = schema.check_identity(connection, path)
    if version < 0:
        raise guard.damaged(path, f"its format is said to be {version}")
    return version


def _check_mode(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        raise JournalOpenError(f"the file system of {path} can't hold a write-ahead log: use a local disk")


def _prepare(path: Path, *, unclean: bool) -> bool:
    """Migrate and check on a connection that is closed before anything else opens the file; False when out of space.

    A file opened and closed beside SQLite's takes its locks away (POSIX), and the next program to look at the journal
    would take it for abandoned and delete its log.
    """
    with closing(_connect(path)) as connection:
        if not _checkpoint(connection, path):
            return False  # what is there can still be delivered
        bound = guard.UNCLEAN_CHECK_BYTES if unclean else guard.QUICK_CHECK_BYTES
        guard.check_whole(connection, path, thorough=path.stat().st_size <= bound)
    return True


def _checkpoint(connection: sqlite3.Connection, path: Path) -> bool:
    for _ in range(2):
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return True
        except sqlite3.Error as error:
            if not is_full(error):
                raise
            ballast.release(path)
    return False


def is_full(error: sqlite3.Error) -> bool:
    """Whether SQLite ran out of space, which it survives; every other error of a write it may not."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
