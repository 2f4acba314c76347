"""Dead letters that go back: their bodies where retention has been, space, and what is counted."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest

from router.envelope import Envelope
from router.journal.contract import DeadLetter, JournalFullError, Parked, Settlement
from router.journal.sqlite import DEAD_LETTERS, SqliteJournal
from tests.contracts.journal import MANY, dated
from tests.contracts.operating import bury, of_event
from tests.doubles.envelopes import make_envelope
from tests.doubles.stepped import SteppedClock
from tests.journal.books import SMALL, opened

HOUR_MS = 3_600_000
LIMITS = replace(SMALL, retention_ms=10 * HOUR_MS)
KIB_100 = "x" * 100_000


async def positions(journal: SqliteJournal) -> list[int]:
    return [record.position for record in await journal._reader.events(0, 1000, MANY)]


async def trimmed(journal: SqliteJournal) -> None:
    before = -1
    while before != (before := journal.meta().events):
        await journal._group.control(lambda _: None)


async def test_a_body_that_retention_dropped_is_back_until_the_event_ends(tmp_path: Path) -> None:
    clock = SteppedClock()
    async with opened(tmp_path, clock=clock, limits=LIMITS) as journal:
        began = int(clock.now * 1000)
        events = [dated(n) for n in range(6)]
        dead = await bury(journal, "bus", events)
        clock.now += 11 * 3600
        await journal.append(dated(100))
        await journal.settle("bus", Settlement(7))
        await trimmed(journal)
        assert await positions(journal) == [7]
        rows = {row.id: Parked(row.position or 0, f"k{row.position}", "") for row in dead[1:4:2]}
        assert await journal.revive("bus", rows) == list(rows)
        assert await positions(journal) == [2, 4, 7]
        assert (journal.meta().events, journal.meta().oldest_ms) == (3, began)
        assert await journal.position_at(began + 1) == 6
        clock.now += 11 * 3600
        await trimmed(journal)
        assert await positions(journal) == [2, 4]
    async with opened(tmp_path, clock=clock, limits=LIMITS) as journal:
        assert journal.meta().events == 2
        ((parked, event),) = await journal.read_parked("bus", order_key="k4")
        assert (parked.position, event.json) == (4, events[3].json)
        await journal.settle("bus", Settlement(7, unparked=[2, 4]))
        assert await positions(journal) == []
        assert journal.meta().events == 0
        await journal.append(dated(200))
        assert journal.head == 8


async def test_a_body_that_is_there_stays_the_one_it_is(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        dead = await bury(journal, "bus", [dated(1)])
        await journal._group.control(lambda db: db.execute("UPDATE dead_letters SET body = x'7b7d'").rowcount)
        await journal.revive("bus", {dead[0].id: Parked(1, "k", "")})
        assert (await journal.read_parked("bus"))[0][1].json == dated(1).json
        assert journal.meta().events == 1


async def test_after_another_lane_was_forgotten_the_count_of_events_is_right(tmp_path: Path) -> None:
    """Forgetting sends retention back, so that events are missing above where it has been."""
    clock = SteppedClock()
    async with opened(tmp_path, clock=clock, limits=LIMITS) as journal:
        dead = await bury(journal, "bus", [dated(n) for n in range(6)])
        await journal.register("iam", 0)
        await journal.settle("iam", Settlement(6, parked=[Parked(2, "k", "")]))
        clock.now += 11 * 3600
        await trimmed(journal)
        await journal.forget("iam")
        await journal.revive("bus", {row.id: Parked(row.position or 0, "k", "") for row in dead[3:5]})
        await trimmed(journal)
        assert await positions(journal) == [4, 5]
        assert journal.meta().events == 2


async def test_letters_of_a_lane_that_is_just_forgotten_stay_and_nothing_is_parked_for_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await asyncio.gather(*[journal.append(dated(n)) for n in range(3)])
        await journal.register("bus", 0)
        dead = [of_event("bus", 1, dated(0))]
        settled = journal.settle("bus", Settlement(2, [], [Parked(2, "k", "")], [], dead))
        await journal.forget("bus")
        await settled
        assert [row.position for row in await journal.dead_letters()] == [1]
        parked = await journal._group.control(lambda db: db.execute("SELECT count(*) FROM parked").fetchone()[0])
        assert parked == 0


def big(number: int) -> Envelope:
    return make_envelope(number, data=KIB_100)._replace(created_ms=number + 1)


async def fill_with_letters(journal: SqliteJournal) -> tuple[list[DeadLetter], JournalFullError]:
    """Until an event is refused; gives some of the letters, and the refusal."""
    dead: list[DeadLetter] = []
    for first in range(0, 1000, 5):
        try:
            dead = await bury(journal, "bus", [big(n) for n in range(first, first + 5)])
        except JournalFullError as error:
            return dead, error
    raise AssertionError("never full")


async def test_dead_letters_that_fill_the_journal_are_named_and_can_be_revived_and_purged(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        dead, error = await fill_with_letters(journal)
        assert error.holder == DEAD_LETTERS
        assert re.search(r"dead letters hold ([789]|1\d) MiB: replay or purge them", str(error))
        rows = {row.id: Parked(row.position or 0, "k", "") for row in dead}
        assert sorted(await journal.revive("bus", rows)) == sorted(rows)
        assert journal.meta().bytes <= SMALL.max_bytes
        while found := await journal.dead_letters(limit=10):
            assert await journal.purge([row.id for row in found]) == len(found)
        await journal.settle("bus", Settlement(journal.head, unparked=[row.position for row in rows.values()]))
        async with asyncio.timeout(20):
            while True:
                try:
                    await journal.append(big(5000))
                    break
                except JournalFullError:
                    await asyncio.sleep(0.05)


async def test_the_size_of_letters_is_kept(tmp_path: Path) -> None:
    def kept(journal: SqliteJournal) -> int:
        return sum(tally.dead_bytes for tally in journal._tallies.values())

    async with opened(tmp_path) as journal:
        dead = await bury(journal, "bus", [dated(n) for n in range(5)])
        assert kept(journal) == sum(len(row.body) for row in dead)
        await journal.rename("bus", "iam")
        await journal.purge([dead[0].id])
        assert kept(journal) == sum(len(row.body) for row in dead[1:])
    async with opened(tmp_path) as journal:
        assert kept(journal) == sum(len(row.body) for row in dead[1:])


@pytest.mark.parametrize("place", [4, 1 << 40])
async def test_a_place_beyond_the_log_is_never_taken(tmp_path: Path, place: int) -> None:
    async with opened(tmp_path) as journal:
        await journal.append(dated(1))
        await journal.register("bus", 0)
        await journal.settle("bus", Settlement(1 << 41, dead=[of_event("bus", place, dated(7))]))
        (letter,) = await journal.dead_letters()
        assert await journal.revive("bus", {letter.id: Parked(place, "k", "")}) == []
        await journal.append(dated(2))
        assert journal.head == 2
