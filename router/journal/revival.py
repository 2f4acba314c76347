"""Dead letters that go: back into their lane, or for good. Each of these runs within a transaction of the writer."""

import sqlite3
from collections.abc import Mapping, Sequence

import orjson

from router.journal import statements as sql
from router.journal.batch import array
from router.journal.lanes import find_lane
from router.journal.ranges import includes

_FOUND = """
SELECT json_group_array(json_array(id, position)) FROM dead_letters WHERE lane = ? AND position IS NOT NULL
  AND position <= max((SELECT coalesce(max(position), 0) FROM events), (SELECT head FROM state))
  AND id IN (SELECT value FROM json_each(?))
"""
_BODIES_BACK = """
INSERT OR IGNORE INTO events (position, recorded_ms, body)
SELECT position, recorded_ms, body FROM dead_letters WHERE id IN (SELECT value FROM json_each(?))
"""
_DELETE = "DELETE FROM dead_letters WHERE id IN (SELECT value FROM json_each(?))"


def revive(db: sqlite3.Connection, lane: str, parked: Mapping[int, tuple[int, bytes]]) -> list[int]:
    """Park dead letters again. parked: by id the letter's position and the reference's `parked_json`.

    Left out are letters that aren't there, have another position, or whose place the lane has not come to yet: it will
    deliver those events by itself. Raises sqlite3.Error.
    """
    state = find_lane(db, lane)
    if state is None:
        return []
    (rows,) = db.execute(_FOUND, (lane, orjson.dumps(list(parked)).decode())).fetchone()
    ids = [
        number for number, position in orjson.loads(rows) if parked[number][0] == position and includes(state, position)
    ]
    chosen = orjson.dumps(ids).decode()
    back = db.execute(_BODIES_BACK, (chosen,)).rowcount
    db.execute("UPDATE state SET deleted = deleted - ?", (back,))
    db.execute(sql.INSERT_PARKED, (lane, array([parked[number][1] for number in ids])))
    db.execute(_DELETE, (chosen,))
    return ids


def purge(db: sqlite3.Connection, ids: Sequence[int]) -> int:
    """How many were there. Raises sqlite3.Error."""
    return db.execute(_DELETE, (orjson.dumps(list(ids)).decode(),)).rowcount
