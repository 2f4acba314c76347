"""Looking into a journal while no router runs. Changes none of its files."""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Self, TypeVar

from router.journal import guard, letters, schema
from router.journal.contract import (
    ALL_LETTERS,
    DeadLetter,
    JournalError,
    JournalOpenError,
    LaneState,
    LetterFilter,
    LetterGroup,
    LetterKey,
    Meta,
)
from router.journal.lanes import read_lanes
from router.journal.opening import UNREADABLE, explain
from router.journal.retention import read_ends

T = TypeVar("T")


class OfflineJournal:
    """A journal's file, read only; routers wait with their start while it is open. Blocking."""

    def __init__(self, path: Path, limit_bytes: int = 0) -> None:
        """limit_bytes: what `meta` says of the size limit, which no file knows."""
        self.path = path
        self._limit_bytes = limit_bytes
        self._db: sqlite3.Connection | None = None
        self._lock = guard.Lock(None)

    def open(self) -> None:
        """Raises JournalOpenError: in use by a router, of another format, damaged, or not there."""
        try:
            self._open()
        except BaseException as error:
            self.close()
            if isinstance(error, UNREADABLE):
                raise explain(error, self.path) from error
            if isinstance(error, OSError):
                raise JournalOpenError(f"can't read {self.path}: {error.strerror}") from error
            raise

    def close(self) -> None:
        """Idempotent."""
        if self._db is not None:
            self._db.close()
            self._db = None
        self._lock.release()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def dead_letters(
        self, wanted: LetterFilter = ALL_LETTERS, limit: int = 100, after: LetterKey | None = None
    ) -> Sequence[DeadLetter]:
        """See `Journal.dead_letters`. Raises JournalError."""
        return self._read(lambda db: list(chain.from_iterable(letters.find(db, wanted, limit, after))))

    def count_letters(self, wanted: LetterFilter = ALL_LETTERS) -> Sequence[LetterGroup]:
        """See `Journal.count_letters`. Raises JournalError."""
        return self._read(lambda db: letters.merged(chain.from_iterable(letters.count(db, wanted))))

    def lanes(self) -> Sequence[LaneState]:
        """See `Journal.lanes`. Raises JournalError."""
        return self._read(read_lanes)

    def meta(self) -> Meta:
        """See `Journal.meta`; `holder` is the lane with the lowest position, absent or not. Raises JournalError."""
        return self._read(self._meta)

    def _open(self) -> None:
        if not self.path.exists():
            raise JournalOpenError(f"there is no journal at {self.path}: is FER_DATA_DIR the router's?")
        self._lock = guard.share(self.path)
        guard.check_header(self.path)
        self._db = sqlite3.connect(_source(self.path), uri=True, isolation_level=None)
        _check_format(self._db, self.path)

    def _meta(self, db: sqlite3.Connection) -> Meta:
        (head,) = db.execute("SELECT max(head, coalesce((SELECT max(position) FROM events), 0)) FROM state").fetchone()
        ends = read_ends(db)
        pages, free = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
        lowest = min(read_lanes(db), key=lambda state: state.position, default=None)
        holder = lowest.name if lowest is not None and lowest.position < head else None
        dead = dict(db.execute("SELECT lane, dead FROM tallies WHERE dead > 0").fetchall())
        size = (pages - free) * schema.PAGE_SIZE
        return Meta(head, head - ends.deleted, size, self._limit_bytes, ends.oldest_ms, holder, dead)

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        if self._db is None:
            raise JournalError("the journal is not open")
        try:
            return query(self._db)
        except (sqlite3.Error, ValueError) as error:
            raise JournalError(f"can't read {self.path}: {error}") from error


def _source(path: Path) -> str:
    """How to open it so that SQLite writes nothing: without a log as a file that doesn't change, else with the index of
    the log that the crash has left, which SQLite then makes anew in memory. Raises JournalOpenError, OSError."""
    log, index = (path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))
    uri = path.absolute().as_uri()
    if not log.exists() or log.stat().st_size == 0:
        return f"{uri}?mode=ro&immutable=1"
    guard.check_log(path)
    if not index.exists():
        raise JournalOpenError(
            f"{log} holds events that a crash has left, and {index} is missing, without which they can't be read: copy "
            "all files of the journal, or start a router on it once"
        )
    return f"{uri}?mode=ro&readonly_shm=1"


def _check_format(db: sqlite3.Connection, path: Path) -> None:
    version = schema.check_identity(db, path)
    if version < schema.VERSION:
        raise JournalOpenError(
            f"{path} has format {version}, this version reads {schema.VERSION}: start a router of this version on it once"
        )
