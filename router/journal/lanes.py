"""The cursors on disk. Each of these runs within a transaction of the writer."""

import sqlite3

import orjson

from router.journal.contract import LaneNotes, LaneState
from router.journal.ranges import joined, reach

_SELECT = (
    "SELECT name, position, settled, coalesce(parked, 0), coalesce(dead, 0), started, paused, absent_ms, about FROM lanes "
    "LEFT JOIN tallies ON tallies.lane = lanes.name"
)
_MOVED_TALLIES = (
    "INSERT INTO tallies (lane, parked, dead, dead_bytes) SELECT ?2, parked, dead, dead_bytes FROM tallies WHERE lane = ?1 "
    "ON CONFLICT (lane) DO UPDATE SET parked = parked + excluded.parked, dead = dead + excluded.dead, "
    "dead_bytes = dead_bytes + excluded.dead_bytes"
)

_NUMBERS = "numbers"


def read_lanes(db: sqlite3.Connection) -> list[LaneState]:
    """All of them. Raises sqlite3.Error."""
    return [_state(row) for row in db.execute(_SELECT).fetchall()]


def read_cursors(db: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """Position and absent_ms by name. Raises sqlite3.Error."""
    return {
        name: (position, absent)
        for name, position, absent in db.execute("SELECT name, position, absent_ms FROM lanes").fetchall()
    }


def insert_lane(db: sqlite3.Connection, lane: str, position: int, about: str = "") -> LaneState:
    """Make the cursor, unless it is there. Raises sqlite3.Error."""
    db.execute(
        "INSERT OR IGNORE INTO lanes (name, position, settled, started, about) VALUES (?1, ?2, '[]', ?2, ?3)",
        (lane, position, about),
    )
    state = find_lane(db, lane)
    if state is None:
        raise sqlite3.IntegrityError(f"lane {lane!r} could not be stored")
    return state


def find_lane(db: sqlite3.Connection, lane: str) -> LaneState | None:
    """One of them, None when it isn't there. Raises sqlite3.Error."""
    row = db.execute(f"{_SELECT} WHERE name = ?", (lane,)).fetchone()
    return None if row is None else _state(row)


def write_notes(db: sqlite3.Connection, lane: str, notes: LaneNotes) -> bool:
    """Whether the lane was there. Raises sqlite3.Error."""
    changed = db.execute(
        "UPDATE lanes SET started = ?, paused = ?, absent_ms = ?, about = ? WHERE name = ?",
        (notes.started, notes.paused, notes.absent_ms, notes.about, lane),
    )
    return changed.rowcount > 0


def delete_lane(db: sqlite3.Connection, lane: str) -> None:
    """Drop the cursor and what is parked for it. Raises sqlite3.Error."""
    # retention has passed the events that only this lane's references kept: it has to look there again
    db.execute(
        "UPDATE state SET trimmed = "
        "min(trimmed, coalesce((SELECT min(position) - 1 FROM parked WHERE lane = ?), trimmed))",
        (lane,),
    )
    db.execute("DELETE FROM parked WHERE lane = ?", (lane,))
    db.execute("DELETE FROM lanes WHERE name = ?", (lane,))
    db.execute("DELETE FROM tallies WHERE lane = ? AND parked = 0 AND dead = 0", (lane,))


def next_number(db: sqlite3.Connection, above: int) -> int:
    """Beyond all that were given. Raises sqlite3.Error."""
    (last,) = db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?", (_NUMBERS,)).fetchone()
    number: int = max(last, above) + 1
    db.execute("DELETE FROM sqlite_sequence WHERE name = ?", (_NUMBERS,))
    db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (_NUMBERS, number))
    return number


def rename_lane(db: sqlite3.Connection, lane: str, to: str) -> str:
    """Why it can't be, or "" when it is done. Raises sqlite3.Error."""
    states = {state.name: state for state in read_lanes(db)}
    if lane not in states:
        return f"there is no lane {lane!r}"
    if to in states:
        (last,) = db.execute("SELECT coalesce(max(position), 0) FROM parked WHERE lane = ?", (lane,)).fetchone()
        if reach(states[lane], last) > states[to].notes.started:
            return f"both {lane!r} and {to!r} have read the same events, so their places can't become one"
        _write_state(db, joined(states[lane], states[to]))
        db.execute("DELETE FROM lanes WHERE name = ?", (lane,))
    else:
        db.execute("UPDATE lanes SET name = ? WHERE name = ?", (to, lane))
    for table in ("parked", "dead_letters"):
        # a place has one row of each kind; `to` can have one already if it had this name before
        db.execute(
            f"DELETE FROM {table} WHERE lane = ?1 AND position IN (SELECT position FROM {table} WHERE lane = ?2)",  # noqa: S608 - our own names
            (lane, to),
        )
        db.execute(f"UPDATE {table} SET lane = ?2 WHERE lane = ?1", (lane, to))  # noqa: S608 - as above
    db.execute(_MOVED_TALLIES, (lane, to))
    db.execute("DELETE FROM tallies WHERE lane = ?", (lane,))
    return ""


def _write_state(db: sqlite3.Connection, state: LaneState) -> None:
    settled = orjson.dumps(state.settled).decode()
    db.execute("UPDATE lanes SET position = ?, settled = ? WHERE name = ?", (state.position, settled, state.name))
    write_notes(db, state.name, state.notes)


def _state(row: tuple[str, int, str, int, int, int, int, int, str]) -> LaneState:
    name, position, settled, parked, dead, started, paused, absent_ms, about = row
    notes = LaneNotes(started, bool(paused), absent_ms, about)
    return LaneState(name, position, [(first, last) for first, last in orjson.loads(settled)], parked, dead, notes)
