import sqlite3
from collections.abc import Iterator

import pytest

from router.journal import schema
from router.journal.contract import LaneNotes, LaneState
from router.journal.lanes import delete_lane, insert_lane, read_lanes


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(connection, 0)
    yield connection
    connection.close()


def test_a_lane_that_is_there_is_left_as_it_is(db: sqlite3.Connection) -> None:
    assert insert_lane(db, "bus", 5) == LaneState("bus", 5, [], 0, 0, LaneNotes(5))
    db.execute("UPDATE lanes SET settled = '[[7,9]]'")
    assert insert_lane(db, "bus", 8) == LaneState("bus", 5, [(7, 9)], 0, 0, LaneNotes(5))


def test_forgetting_one_leaves_the_other_and_sends_retention_back(db: sqlite3.Connection) -> None:
    for lane in ("bus", "iam"):
        insert_lane(db, lane, 50)
        for position in (30, 40):
            db.execute("INSERT INTO parked VALUES (?, ?, 'k', '', 0, 0, 0, 0, 0, '', '', '')", (lane, position))
    db.execute("UPDATE state SET trimmed = 50")
    delete_lane(db, "bus")
    assert read_lanes(db) == [LaneState("iam", 50, [], 2, 0, LaneNotes(50))]
    assert db.execute("SELECT trimmed FROM state").fetchone() == (29,)
    delete_lane(db, "unknown")
    assert db.execute("SELECT trimmed FROM state").fetchone() == (29,)
