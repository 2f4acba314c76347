import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.journal import schema
from router.journal import statements as sql


@pytest.fixture
def db() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(connection, 0)
    return connection


@given(st.lists(st.sampled_from([b"x", b"y" * 1000, b"z" * 300_000, b"w" * (2 << 20)]), min_size=1, max_size=600))
def test_chunks_cover_everything_once_within_the_bounds(bodies: list[bytes]) -> None:
    pieces = list(sql.chunks(bodies))
    assert [n for start, end in pieces for n in range(start, end)] == list(range(len(bodies)))
    for start, end in pieces:
        assert end - start <= sql.MAX_ROWS
        assert end - start == 1 or sum(map(len, bodies[start:end])) <= sql.MAX_BYTES


def test_there_are_few_sizes() -> None:
    assert {sql.size_for(rows) for rows in range(1, sql.MAX_ROWS + 1)} == {1, 2, 4, 8, 16, 32, 64, 128, 256}


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 64, 65, 256])
def test_what_fills_up_a_statement_is_not_stored(db: sqlite3.Connection, rows: int) -> None:
    ids = [value for n in range(rows) for value in (n, b"key%d" % n)]
    size = sql.size_for(rows)
    assert db.execute(sql.insert_seen(size), (7, *sql.padded(ids, 2))).rowcount == rows
    bodies = [b"body%d" % n for n in range(rows)]
    assert db.execute(sql.insert_events(size), (5, 7, *sql.padded(bodies, 1))).rowcount == rows
    found = db.execute("SELECT position, recorded_ms, body FROM events").fetchall()
    assert found == [(5 + n, 7, body) for n, body in enumerate(bodies)]
    assert db.execute("SELECT count(*), max(recorded_ms) FROM seen").fetchone() == (rows, 7)


def test_finds_those_that_are_there(db: sqlite3.Connection) -> None:
    db.execute(sql.insert_seen(2), (7, 1, b"a", 2, b"b"))
    asked = [1, b"a", 1, b"b", 2, b"b", 2, b"a", 9, b"z"]
    assert db.execute(sql.find_seen(8), sql.padded(asked, 2)).fetchone() == ("0,2",)
    assert db.execute(sql.find_seen(1), (5, b"a")).fetchone() == (None,)


def test_the_lookup_uses_the_key(db: sqlite3.Connection) -> None:
    plan = " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql.find_seen(4)}", [None] * 8))
    assert "SEARCH seen USING PRIMARY KEY (created_ms=? AND key=?)" in plan
