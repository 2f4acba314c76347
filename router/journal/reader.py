"""Reading from disk: a thread with a connection of its own for the lanes, and one for operators.

Each row that SQLite steps to costs a hand-over of the interpreter lock while the event loop is busy, so many rows come
as one: joined by a byte (0x1E) that no JSON can hold.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import orjson

from router.envelope import Envelope
from router.journal import letters, places
from router.journal.batch import history_of, storable
from router.journal.contract import (
    DeadLetter,
    JournalError,
    KeyHead,
    LetterFilter,
    LetterGroup,
    LetterKey,
    Parked,
    Record,
)
from router.journal.opening import open_reader

T = TypeVar("T")

CHUNK_EVENTS = 1000
CHUNK_BYTES = 8 << 20
SEPARATOR = b"\x1e"

_SIZES = (
    "SELECT count(*), sum(length(body)) FROM (SELECT body FROM events WHERE position > ? ORDER BY position LIMIT ?)"
)
_BODIES = (
    "SELECT min(position), max(position), count(*), group_concat(body, char(30)) "
    "FROM (SELECT position, body FROM events WHERE position > ? ORDER BY position LIMIT ?)"
)
_POSITIONS = (
    "SELECT json_group_array(position) FROM (SELECT position FROM events WHERE position > ? ORDER BY position LIMIT ?)"
)
_PARKED = (
    "json_array(p.position, p.order_key, p.scope, p.attempts, p.tries, p.first_failed_ms, p.last_failed_ms, p.due_ms, "
    "p.reason, p.detail)"
)
_PARKED_BODIES = (
    f"SELECT {_PARKED} AS parked, p.history, e.body, length(e.body) + length(p.history) AS size "  # noqa: S608 - our own names
    "FROM parked p CROSS JOIN events e ON e.position = p.position"
)


class Reader:
    """One thread and its connection. Opened by `start`, ended by `stop`."""

    def __init__(self, path: Path, name: str = "journal-reader") -> None:
        self._path = path
        self._name = name
        self._pool: ThreadPoolExecutor | None = None

    def start(self) -> None:
        """Blocking. Raises sqlite3.Error."""
        self._db = open_reader(self._path)
        self._pool = ThreadPoolExecutor(1, self._name)

    def stop(self) -> None:
        """Blocking; idempotent."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None
            self._db.close()

    async def events(self, after: int, limit: int, max_bytes: int) -> list[Record]:
        """At least one when there is one. Raises JournalError."""
        fetched = await self._run(lambda: fetch_events(self._db, after, limit, max_bytes))
        try:
            # Here and not in the thread: two threads of Python only wait for each other.
            return parse_events(*fetched)
        except ValueError as error:
            raise JournalError(f"can't read {self._path}: {error}") from error

    async def parked(
        self, lane: str, order_key: str | None, scope: str | None, after: int, limit: int
    ) -> list[tuple[Parked, Envelope]]:
        """By position above `after`. Raises JournalError."""
        return await self._run(lambda: read_parked(self._db, lane, order_key, scope, after, limit))

    async def heads(self, lane: str, limit: int) -> list[KeyHead]:
        """Of keys parked with scope "", the earliest due first. Raises JournalError."""
        return await self._run(lambda: read_heads(self._db, lane, limit))

    async def scopes(self, lane: str) -> dict[str, int]:
        """Parked events by scope, "" left out. Raises JournalError."""
        return await self._run(lambda: read_scopes(self._db, lane))

    async def letters(self, wanted: LetterFilter, limit: int, after: LetterKey | None) -> list[DeadLetter]:
        """In the order (lane, position, id). Raises JournalError."""
        return await self._gather(lambda: letters.find(self._db, wanted, limit, after))

    async def groups(self, wanted: LetterFilter) -> list[LetterGroup]:
        """Letters counted. Raises JournalError."""
        return letters.merged(await self._gather(lambda: letters.count(self._db, wanted)))

    async def place(self, recorded_ms: int, head: int) -> int:
        """See `places.position_at`. Raises JournalError."""
        return await self._run(lambda: places.position_at(self._db, recorded_ms, head))

    async def _gather(self, begin: Callable[[], Iterator[list[T]]]) -> list[T]:
        """All that the steps give; between two of them others have their turn."""
        steps = begin()
        found: list[T] = []
        while (step := await self._run(lambda: next(steps, None))) is not None:
            found += step
        return found

    async def _run(self, query: Callable[[], T]) -> T:
        if self._pool is None:
            raise JournalError("the journal is closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, query)
        except (sqlite3.Error, ValueError) as error:
            raise JournalError(f"can't read {self._path}: {error}") from error


def read_events(db: sqlite3.Connection, after: int, limit: int, max_bytes: int) -> list[Record]:
    """The next events. Raises sqlite3.Error; ValueError when a body is damaged."""
    return parse_events(*fetch_events(db, after, limit, max_bytes))


def fetch_events(
    db: sqlite3.Connection, after: int, limit: int, max_bytes: int
) -> tuple[Sequence[int], Sequence[bytes]]:
    """Positions and bodies of the next events, as few steps of SQLite as can be. Raises sqlite3.Error."""
    limit = _fitting(db, _SIZES, (after,), min(limit, CHUNK_EVENTS), min(max_bytes, CHUNK_BYTES))
    first, last, count, bodies = db.execute(_BODIES, (after, limit)).fetchone()
    if not count:
        return (), ()
    if last - first + 1 == count:
        positions: Sequence[int] = range(first, last + 1)
    else:
        positions = orjson.loads(db.execute(_POSITIONS, (after, count)).fetchone()[0])
    return positions, bodies.split(SEPARATOR)


def _fitting(
    db: sqlite3.Connection, sizes: str, values: Sequence[Any], limit: int, max_bytes: int = CHUNK_BYTES
) -> int:
    """How many of the next rows fit, at least one. sizes: gives the number of rows and of bytes within a limit."""
    while limit > 1:
        count, size = db.execute(sizes, (*values, limit)).fetchone()
        if count < 2 or size <= max_bytes:
            break
        limit = max(1, min(limit - 1, count * max_bytes // size))
    return limit


def parse_events(positions: Sequence[int], texts: Sequence[bytes]) -> list[Record]:
    """Records of what was fetched. Raises ValueError when a body is damaged."""
    try:
        return [Record(*pair) for pair in zip(positions, map(Envelope.from_json, texts), strict=True)]
    except ValueError as error:
        raise ValueError(f"{_first_damaged(positions, texts)} is damaged: {error}") from error


def _first_damaged(positions: Sequence[int], texts: Sequence[bytes]) -> str:
    for position, text in zip(positions, texts, strict=False):
        try:
            Envelope.from_json(text)
        except ValueError:
            return f"the event at position {position}"
    return f"an event at positions {positions[0]} to {positions[-1]}"


def read_parked(
    db: sqlite3.Connection, lane: str, order_key: str | None, scope: str | None, after: int, limit: int
) -> list[tuple[Parked, Envelope]]:
    """Parked events with their envelopes. Raises sqlite3.Error; ValueError when a body is damaged."""
    if order_key is not None and scope is None:
        scope = ""
    where, values = "p.lane = ? AND p.position > ?", list[Any]((lane, after))
    for column, value in (("order_key", order_key), ("scope", scope)):
        if value is not None:
            where += f" AND p.{column} = ?"
            values.append(storable(value))
    source = f"{_PARKED_BODIES} WHERE {where} ORDER BY p.position LIMIT ?"
    limit = _fitting(db, f"SELECT count(*), sum(size) FROM ({source})", values, limit)  # noqa: S608 - names are ours, values bound
    rows, histories, bodies = db.execute(
        "SELECT json_group_array(json(parked)), json_group_array(history), group_concat(body, char(30)) "  # noqa: S608 - as above
        f"FROM ({source})",
        (*values, limit),
    ).fetchone()
    parked = [
        Parked(*[*row, history_of(history)])
        for row, history in zip(orjson.loads(rows), orjson.loads(histories), strict=True)
    ]
    if not parked:
        return []
    return list(zip(parked, map(Envelope.from_json, bodies.split(SEPARATOR)), strict=True))


def read_heads(db: sqlite3.Connection, lane: str, limit: int) -> list[KeyHead]:
    """The first parked event of each key, without its history. Raises sqlite3.Error."""
    (rows,) = db.execute(
        f"SELECT json_group_array(json_array(json(parked), number)) FROM (SELECT {_PARKED} AS parked, k.number "  # noqa: S608 - as above
        "FROM (SELECT min(position) AS first, count(*) AS number FROM parked WHERE lane = ?1 AND scope = '' "
        "GROUP BY order_key) k CROSS JOIN parked p ON p.lane = ?1 AND p.position = k.first "
        "ORDER BY p.due_ms, p.position LIMIT ?2)",
        (lane, limit),
    ).fetchone()
    return [KeyHead(Parked(*head), number) for head, number in orjson.loads(rows)]


def read_scopes(db: sqlite3.Connection, lane: str) -> dict[str, int]:
    """Scopes that parked events wait for. Raises sqlite3.Error."""
    (rows,) = db.execute(
        "SELECT json_group_object(scope, number) FROM (SELECT scope, count(*) AS number FROM parked "
        "WHERE lane = ? AND scope <> '' GROUP BY scope)",
        (lane,),
    ).fetchone()
    scopes: dict[str, int] = orjson.loads(rows)
    return scopes
