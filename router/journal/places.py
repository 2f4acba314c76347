"""Where in the log a time is. Blocking."""

import sqlite3

STEPS_MAX = 1000

_NEWEST = "SELECT recorded_ms FROM events WHERE position BETWEEN ? AND ? ORDER BY position DESC LIMIT 1"


def position_at(db: sqlite3.Connection, recorded_ms: int, head: int) -> int:
    """The position before the first kept event that was recorded then or later; `head` when there is none up to there.

    The log is cut where the wall clock had been set back, so that times grow within each piece; of the pieces, the last
    is probed to find the right one, and that one is halved about as often as its length has bits. Raises sqlite3.Error.
    """
    starts = [start for (start,) in db.execute("SELECT position FROM steps ORDER BY position").fetchall()]
    for first, end in zip([1, *starts], [*starts, head + 1], strict=True):
        if first < end and _reaches(db, first, end - 1, recorded_ms):
            return _first(db, first, end - 1, recorded_ms) - 1
    return head


def note_step(db: sqlite3.Connection, position: int) -> None:
    """The clock had been set back before the event at this position was stored. Raises sqlite3.Error."""
    db.execute("INSERT OR IGNORE INTO steps VALUES (?)", (position,))
    db.execute(
        "DELETE FROM steps WHERE position <= (SELECT position FROM steps ORDER BY position DESC LIMIT 1 OFFSET ?)",
        (STEPS_MAX,),
    )


def latest_ms(db: sqlite3.Connection, head: int) -> int | None:
    """When the event at the head was recorded; None when it isn't kept any more. Raises sqlite3.Error."""
    row = db.execute("SELECT recorded_ms FROM events WHERE position = ?", (head,)).fetchone()
    return None if row is None else int(row[0])


def _first(db: sqlite3.Connection, low: int, high: int, recorded_ms: int) -> int:
    first = low
    while low < high:
        middle = (low + high) // 2
        if _reaches(db, first, middle, recorded_ms):
            high = middle
        else:
            low = middle + 1
    return low


def _reaches(db: sqlite3.Connection, first: int, last: int, recorded_ms: int) -> bool:
    newest = db.execute(_NEWEST, (first, last)).fetchone()
    return newest is not None and newest[0] >= recorded_ms
