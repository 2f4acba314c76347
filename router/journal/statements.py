"""SQL with many rows a statement, in few sizes.

A thread that runs SQL beside a busy event loop waits for the interpreter lock once for each statement and each row it
fetches, so a batch is one statement. Sizes are powers of two (a prepared statement keeps its last values, so there must be
few), and what is left over is filled with NULLs, which `OR IGNORE` drops at the NOT NULL columns.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

MAX_ROWS = 256
MAX_BYTES = 1 << 20
"""A statement with more bytes than this holds one row, so that the values it keeps stay bounded."""


def size_for(rows: int) -> int:
    """The smallest statement that holds them."""
    return 1 << (rows - 1).bit_length()


@cache
def insert_seen(size: int) -> str:
    """Parameters: recorded_ms, then created_ms and key of each."""
    rows = ",".join(["(?1,?,?)"] * size)
    return f"INSERT OR IGNORE INTO seen (recorded_ms, created_ms, key) VALUES {rows}"  # noqa: S608 - placeholders only


@cache
def insert_events(size: int) -> str:
    """Parameters: first position, recorded_ms, then the bodies."""
    rows = ",".join(f"(?1+{i},?2,?{i + 3})" for i in range(size))
    return f"INSERT OR IGNORE INTO events (position, recorded_ms, body) VALUES {rows}"  # noqa: S608 - as above


@cache
def find_seen(size: int) -> str:
    """Parameters: created_ms and key of each. One row: the numbers of those that are there, comma-separated, or NULL."""
    rows = ",".join(f"({i},?,?)" for i in range(size))
    return (
        f"WITH asked(number, created_ms, key) AS (VALUES {rows}) SELECT group_concat(number) "  # noqa: S608 - as above
        "FROM asked CROSS JOIN seen ON seen.created_ms = asked.created_ms AND seen.key = asked.key"
    )


def padded(values: Sequence[Any], width: int) -> list[Any]:
    """Fill up with NULLs to the size of the statement; `width` values make a row."""
    rows = len(values) // width
    return [*values, *([None] * (width * (size_for(rows) - rows)))]


def chunks(bodies: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Cut a batch into (start, end) for one statement each."""
    if len(bodies) <= MAX_ROWS and sum(map(len, bodies)) <= MAX_BYTES:
        yield 0, len(bodies)
        return
    start = size = 0
    for i, body in enumerate(bodies):
        if i > start and (i - start == MAX_ROWS or size + len(body) > MAX_BYTES):
            yield start, i
            start, size = i, 0
        size += len(body)
    yield start, len(bodies)


INSERT_PARKED = """
INSERT INTO parked (lane, position, order_key, scope, attempts, tries, first_failed_ms, last_failed_ms, due_ms, reason, detail,
  history)
SELECT ?1, json_extract(value,'$[0]'), json_extract(value,'$[1]'), json_extract(value,'$[2]'), json_extract(value,'$[3]'),
  json_extract(value,'$[4]'), json_extract(value,'$[5]'), json_extract(value,'$[6]'), json_extract(value,'$[7]'),
  json_extract(value,'$[8]'), json_extract(value,'$[9]'), json_extract(value,'$[10]') FROM json_each(?2) WHERE true
ON CONFLICT (lane, position) DO UPDATE SET order_key=excluded.order_key, scope=excluded.scope, attempts=excluded.attempts,
  tries=excluded.tries, first_failed_ms=excluded.first_failed_ms, last_failed_ms=excluded.last_failed_ms,
  due_ms=excluded.due_ms, reason=excluded.reason, detail=excluded.detail, history=excluded.history
"""

DELETE_PARKED = "DELETE FROM parked WHERE lane = ? AND position IN (SELECT value FROM json_each(?))"

DELETE_LEFT_BEHIND = """
DELETE FROM events WHERE position IN (SELECT value FROM json_each(?)) AND position <= ?
  AND NOT EXISTS (SELECT 1 FROM parked WHERE parked.position = events.position)
"""
"""Events that retention has passed because they were parked, and that no lane has parked any more."""

_LETTERS = """
INSERT INTO dead_letters (lane, position, event_id, type, subject, body, reason, detail, attempts, first_failed_ms,
  last_failed_ms, dead_ms, app, history, recorded_ms)
SELECT json_extract(value,'$[0]'), json_extract(value,'$[1]'), json_extract(value,'$[2]'), json_extract(value,'$[3]'),
  json_extract(value,'$[4]'), CAST(json_extract(value,'$[5]') AS BLOB), json_extract(value,'$[6]'),
  json_extract(value,'$[7]'), json_extract(value,'$[8]'), json_extract(value,'$[9]'), json_extract(value,'$[10]'),
  json_extract(value,'$[11]'), json_extract(value,'$[12]'), json_extract(value,'$[13]'),
  coalesce((SELECT recorded_ms FROM events WHERE position = json_extract(value,'$[1]')), json_extract(value,'$[9]'))
FROM json_each(?) WHERE true
"""
INSERT_QUARANTINED = _LETTERS + "ON CONFLICT (lane, event_id) WHERE position IS NULL DO NOTHING"
INSERT_DEAD = (
    _LETTERS
    + """ON CONFLICT (lane, position) WHERE position IS NOT NULL DO UPDATE SET reason=excluded.reason,
  detail=excluded.detail, attempts=excluded.attempts, first_failed_ms=excluded.first_failed_ms,
  last_failed_ms=excluded.last_failed_ms, dead_ms=excluded.dead_ms, history=excluded.history"""
)
