"""Finding dead letters: over an index that has all they are searched by, a slice at a time, so that nobody waits long.

Blocking; each step of these iterators is short, and reads what is there at that moment.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import translate
from itertools import groupby
from re import compile as compiled
from typing import Any, NamedTuple

import orjson

from router.journal.batch import history_of, storable
from router.journal.contract import DeadLetter, LetterFilter, LetterGroup, LetterKey

SLICE = 20_000
MAX_BYTES = 8 << 20
LETTER_OVERHEAD = 200

_COLUMNS = (
    "lane, position, event_id, type, subject, body, reason, detail, attempts, first_failed_ms, last_failed_ms, dead_ms, "
    "id, app, history"
)
_TYPES = (
    "WITH RECURSIVE found(type) AS (SELECT min(type) FROM dead_letters UNION ALL "
    "SELECT (SELECT min(type) FROM dead_letters WHERE type > found.type) FROM found WHERE found.type IS NOT NULL) "
    "SELECT type FROM found WHERE type IS NOT NULL"
)
_AT_PLACE = "SELECT 1 FROM dead_letters WHERE lane = ? AND position = ? AND id > ?"


class Piece(NamedTuple):
    """Some letters that follow one another in the order (lane, position, id): a condition over `dead_letters`."""

    where: str
    values: tuple[Any, ...]
    order: str


def matching(patterns: Sequence[str], types: Sequence[str]) -> list[str]:
    """Those types that EVENTS would mean by these patterns."""
    excluded = [pattern[1:].strip() for pattern in patterns if pattern.startswith("!")]
    included = [pattern for pattern in patterns if not pattern.startswith("!")] or ["*"]
    wanted = compiled("|".join(map(translate, included)))
    unwanted = compiled("|".join(map(translate, excluded))) if excluded else None
    return [
        type_ for type_ in types if wanted.fullmatch(type_) and not (unwanted is not None and unwanted.fullmatch(type_))
    ]


def find(
    db: sqlite3.Connection, wanted: LetterFilter, limit: int, after: LetterKey | None
) -> Iterator[list[DeadLetter]]:
    """Letters in the order (lane, position, id), a few at each step, until there are `limit` or MAX_BYTES of them.

    Raises sqlite3.Error; ValueError when one is damaged.
    """
    size = 0
    for piece in _pieces(db, wanted, after):
        if limit <= 0:
            return
        found: list[DeadLetter] = []
        sql = f"SELECT {_COLUMNS} FROM dead_letters WHERE {piece.where} ORDER BY {piece.order} LIMIT ?"  # noqa: S608 - names are ours, values bound
        rows = db.execute(sql, (*piece.values, limit))
        for row in rows:
            found.append(_letter(row))
            size += LETTER_OVERHEAD + sum(len(value) for value in row if isinstance(value, bytes))
            if size >= MAX_BYTES:
                limit = 0
                break
        rows.close()
        limit -= len(found)
        yield found


def count(db: sqlite3.Connection, wanted: LetterFilter) -> Iterator[list[LetterGroup]]:
    """Groups of each slice, for `merged`. Raises sqlite3.Error."""
    for piece in _pieces(db, wanted, None):
        sql = (
            "SELECT lane, type, reason, count(*), min(dead_ms), max(dead_ms), max(id) FROM dead_letters "  # noqa: S608 - as above
            f"WHERE {piece.where} GROUP BY lane, type, reason"
        )
        yield [LetterGroup(*map(_text, row)) for row in db.execute(sql, piece.values).fetchall()]


def merged(groups: Iterable[LetterGroup]) -> list[LetterGroup]:
    """Groups of several slices made one for each lane, type and reason, in that order."""
    return [_sum(list(same)) for _, same in groupby(sorted(groups, key=_kind), _kind)]


def _pieces(db: sqlite3.Connection, wanted: LetterFilter, after: LetterKey | None) -> Iterator[Piece]:
    condition, values = _condition(db, wanted)
    for lane in _lanes(db, wanted):
        if after is None or lane >= after.lane:
            begin = after if after is not None and after.lane == lane else LetterKey(lane, 0, 0)
            for piece in _slices(db, begin, whole=bool(wanted.ids)):
                yield Piece(f"{piece.where}{condition}", (*piece.values, *values), piece.order)


def _slices(db: sqlite3.Connection, begin: LetterKey, *, whole: bool) -> Iterator[Piece]:
    """Letters without a position come first, by id; then the others, whose positions are all different."""
    if begin.position == 0:
        yield from _stretch(
            db, "id", Piece("lane = ? AND position IS NULL AND id > ?", (begin.lane, begin.id), "id"), whole
        )
    low = begin.position - 1 if db.execute(_AT_PLACE, begin).fetchone() else begin.position
    yield from _stretch(db, "position", Piece("lane = ? AND position > ?", (begin.lane, low), "position"), whole)


def _stretch(db: sqlite3.Connection, column: str, start: Piece, whole: bool) -> Iterator[Piece]:
    lane, low = start.values
    sql = f"SELECT {column} FROM dead_letters WHERE {start.where} ORDER BY {column} LIMIT 1 OFFSET ?"  # noqa: S608 - as above
    while True:
        end = None if whole else db.execute(sql, (lane, low, SLICE - 1)).fetchone()
        if end is None:
            yield Piece(start.where, (lane, low), column)
            return
        yield Piece(f"{start.where} AND {column} <= ?", (lane, low, end[0]), column)
        low = end[0]


def _lanes(db: sqlite3.Connection, wanted: LetterFilter) -> list[str]:
    if wanted.lanes:
        return sorted(set(wanted.lanes))
    found = db.execute("SELECT lane FROM tallies WHERE dead > 0").fetchall()
    return sorted(_text(lane) for (lane,) in found)


def _condition(db: sqlite3.Connection, wanted: LetterFilter) -> tuple[str, list[Any]]:
    terms: list[tuple[str, Any]] = []
    for column, given in (("app", wanted.apps), ("subject", wanted.subjects), ("reason", wanted.reasons)):
        if given:
            terms.append((f"{column} IN (SELECT value FROM json_each(?))", _array(given)))  # noqa: S608 - as above
    if wanted.types:
        types = [_text(type_) for (type_,) in db.execute(_TYPES).fetchall()]
        terms.append(("type IN (SELECT value FROM json_each(?))", _array(matching(wanted.types, types))))
    if wanted.ids:
        terms.append(("id IN (SELECT value FROM json_each(?))", orjson.dumps(wanted.ids).decode()))
    for term, bound in (
        ("dead_ms >= ?", wanted.since_ms),
        ("dead_ms < ?", wanted.until_ms),
        ("id <= ?", wanted.up_to_id),
    ):
        if bound is not None:
            terms.append((term, bound))
    return "".join(f" AND {term}" for term, _ in terms), [value for _, value in terms]


def _array(texts: Sequence[str]) -> str:
    return orjson.dumps([storable(text) for text in texts]).decode()


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    *fields, history = row
    values = [_text(value) for value in fields]
    values[5] = bytes(fields[5])
    return DeadLetter(*[*values, history_of(history)])


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _kind(group: LetterGroup) -> tuple[str, str, str]:
    return group.lane, group.type, group.reason


def _sum(same: list[LetterGroup]) -> LetterGroup:
    return LetterGroup(
        *_kind(same[0]),
        sum(group.count for group in same),
        min(group.oldest_ms for group in same),
        max(group.newest_ms for group in same),
        max(group.last_id for group in same),
    )
