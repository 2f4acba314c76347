"""Finding the place of a time, with a wall clock that goes back."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.journal import schema
from router.journal.places import STEPS_MAX, latest_ms, note_step, position_at
from tests.doubles.envelopes import make_envelope
from tests.doubles.stepped import SteppedClock
from tests.journal.books import opened

TIMES = st.lists(st.integers(1, 30), max_size=25)


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(connection, 0)
    yield connection
    connection.close()


@given(TIMES, st.sets(st.integers(1, 25)), st.integers(0, 31))
def test_nothing_recorded_then_or_later_is_missed(times: list[int], gone: set[int], wanted: int) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(db, 0)
    for position, time in enumerate(times, 1):
        db.execute("INSERT INTO events VALUES (?, ?, x'')", (position, time))
        if position > 1 and time < times[position - 2]:
            note_step(db, position)
    for position in gone:
        db.execute("DELETE FROM events WHERE position = ?", (position,))
    kept = [position for position, time in enumerate(times, 1) if time >= wanted and position not in gone]
    expected = kept[0] - 1 if kept else len(times)
    assert position_at(db, wanted, len(times)) == expected
    db.close()


def test_a_long_log_is_probed_and_not_scanned(db: sqlite3.Connection) -> None:
    number = 100_000
    db.execute(
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ?) "
        "INSERT INTO events SELECT x, x, x'' FROM n",
        (number,),
    )
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    assert position_at(db, 77_777, number) == 77_776
    assert len(asked) < 25


def test_steps_are_bounded(db: sqlite3.Connection) -> None:
    for position in range(2, STEPS_MAX + 50):
        note_step(db, position)
    assert db.execute("SELECT count(*), max(position) FROM steps").fetchone() == (STEPS_MAX, STEPS_MAX + 49)
    assert latest_ms(db, 1) is None


async def test_the_journal_notes_when_its_clock_was_set_back(tmp_path: Path) -> None:
    clock = SteppedClock()
    moments = [0, 10, 20, 5, 6, -50, 30]
    start = int(clock.now * 1000)
    for number, moment in enumerate(moments):  # a restart between any two
        clock.now = (start + moment) / 1000
        async with opened(tmp_path, clock=clock) as journal:
            await journal.append(make_envelope(number))
    async with opened(tmp_path, clock=clock) as journal:
        for wanted in range(-60, 40):
            first = next((n for n, moment in enumerate(moments) if moment >= wanted), len(moments))
            assert await journal.position_at(start + wanted) == first


async def test_one_whose_newest_event_is_gone_takes_the_next_for_a_step(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        for number in range(3):
            await journal.append(make_envelope(number))
        await journal._group.control(lambda db: db.execute("DELETE FROM events WHERE position = 3").rowcount)
        await journal._group.control(lambda db: db.execute("UPDATE state SET head = 3").rowcount)
    async with opened(tmp_path) as journal:
        await journal.append(make_envelope(3))
        steps = await journal._group.control(lambda db: db.execute("SELECT position FROM steps").fetchall())
        assert steps == [(4,)]
