"""The cursors on disk. Each of these runs within a transaction of the writer."""

import sqlite3

import orjson

from router.journal.contract import LaneState

_SELECT = (
    "SELECT name, position, settled, coalesce(parked, 0), coalesce(dead, 0) FROM lanes "
    "LEFT JOIN tallies ON tallies.lane = lanes.name"
)


def read_lanes(db: sqlite3.Connection) -> list[LaneState]:
    """All of them. Raises sqlite3.Error."""
    return [
        LaneState(name, position, [(first, last) for first, last in orjson.loads(settled)], parked, dead)
        for name, position, settled, parked, dead in db.execute(_SELECT).fetchall()
    ]


def insert_lane(db: sqlite3.Connection, lane: str, position: int) -> LaneState:
    """Make the cursor, unless it is there. Raises sqlite3.Error."""
    db.execute("INSERT OR IGNORE INTO lanes VALUES (?, ?, '[]')", (lane, position))
    return next(state for state in read_lanes(db) if state.name == lane)


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
