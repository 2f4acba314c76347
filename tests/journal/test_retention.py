"""What goes when, and what stays. `test_model.py` does this at random."""

import asyncio
from dataclasses import replace
from pathlib import Path

from router.journal.contract import LaneNotes, Parked, Settlement, Verdict
from router.journal.retention import SLICE, SWEEP_EVERY_MS
from router.journal.sqlite import SqliteJournal
from tests.contracts.journal import dated
from tests.doubles.stepped import SteppedClock
from tests.journal.books import SMALL, opened

MANY = 1 << 30
HOUR_MS = 3_600_000
LIMITS = replace(SMALL, retention_ms=10 * HOUR_MS, dedupe_ms=48 * HOUR_MS)


async def wait_for_trim(journal: SqliteJournal) -> None:
    """Until retention finds nothing more to do."""
    before = -1
    while before != (before := journal.meta().events):
        await journal._group.control(lambda _: None)


async def events(journal: SqliteJournal) -> list[int]:
    return [record.position for record in await journal._reader.events(0, 1000, MANY)]


async def test_settled_events_go_after_their_time_and_not_before(tmp_path: Path) -> None:
    clock = SteppedClock()
    async with opened(tmp_path, clock=clock, limits=LIMITS) as journal:
        await journal.register("bus")
        await asyncio.gather(*[journal.append(dated(n)) for n in range(5)])
        clock.now += 6 * 3600
        await asyncio.gather(*[journal.append(dated(n)) for n in range(5, 10)])
        await journal.settle("bus", Settlement(10))
        await wait_for_trim(journal)
        assert len(await events(journal)) == 10
        clock.now += 5 * 3600
        await wait_for_trim(journal)
        assert await events(journal) == [6, 7, 8, 9, 10]
        meta = journal.meta()
        assert (meta.events, meta.oldest_ms) == (5, int((clock.now - 5 * 3600) * 1000))


async def test_what_one_lane_has_not_settled_stays(tmp_path: Path) -> None:
    clock = SteppedClock()
    async with opened(tmp_path, clock=clock, limits=LIMITS) as journal:
        await journal.register("bus")
        await journal.register("iam")
        await asyncio.gather(*[journal.append(dated(n)) for n in range(5)])
        await journal.settle("bus", Settlement(5))
        await journal.settle("iam", Settlement(2, [(4, 4)]))
        clock.now += 11 * 3600
        await wait_for_trim(journal)
        assert await events(journal) == [3, 4, 5]
        await journal.forget("iam")
        await wait_for_trim(journal)
        assert await events(journal) == []


async def test_parked_events_stay_until_they_end(tmp_path: Path) -> None:
    clock = SteppedClock()
    async with opened(tmp_path, clock=clock, limits=LIMITS) as journal:
        for lane in ("bus", "iam"):
            await journal.register(lane)
        await asyncio.gather(*[journal.append(dated(n)) for n in range(6)])
        await journal.settle("bus", Settlement(6, [], [Parked(2, "a", ""), Parked(4, "b", "")]))
        await journal.settle("iam", Settlement(6, [], [Parked(4, "b", ""), Parked(5, "b", "")]))
        clock.now += 11 * 3600
        await wait_for_trim(journal)
        assert await events(journal) == [2, 4, 5]
        await journal.settle("bus", Settlement(6, unparked=[2, 4]))
        assert await events(journal) == [4, 5]
        assert journal.meta().events == 2
        await journal.forget("iam")
        await wait_for_trim(journal)
        assert await events(journal) == []


async def test_a_lane_absent_for_too_long_holds_nothing_but_what_is_parked_for_it(tmp_path: Path) -> None:
    clock = SteppedClock()
    limits = replace(LIMITS, absent_ms=20 * HOUR_MS)
    async with opened(tmp_path, clock=clock, limits=limits) as journal:
        for lane in ("bus", "iam"):
            await journal.register(lane)
        await asyncio.gather(*[journal.append(dated(n)) for n in range(6)])
        await journal.settle("iam", Settlement(3, [], [Parked(2, "a", "")]))
        await journal.settle("bus", Settlement(6))
        await journal.note("iam", LaneNotes(0, absent_ms=int(clock.now * 1000)))
    async with opened(tmp_path, clock=clock, limits=limits) as journal:
        clock.now += 20 * 3600
        await wait_for_trim(journal)
        assert await events(journal) == [2, 4, 5, 6]
        assert journal.meta().holder == "iam"
        clock.now += 1
        await wait_for_trim(journal)
        assert await events(journal) == [2]
        await journal.note("iam", LaneNotes())
        await asyncio.gather(*[journal.append(dated(n)) for n in range(6, 9)])
        await journal.settle("bus", Settlement(9))
        clock.now += 30 * 3600
        await wait_for_trim(journal)
        assert await events(journal) == [2, 7, 8, 9]
        assert len(await journal.read_parked("iam")) == 1
        assert journal.meta().holder == "iam"  # by what is parked for it
        await journal.settle("iam", Settlement(9, unparked=[2]))
        assert journal.meta().holder is None


async def test_what_was_left_for_others_is_kept_for_a_lane_that_begins_there(tmp_path: Path) -> None:
    """Else an event would go between its start and its first look: it read nothing of it, and it was told of no gap."""
    clock = SteppedClock()
    async with opened(tmp_path, clock=clock, limits=LIMITS) as journal:
        await journal.register("bus")
        await asyncio.gather(*[journal.append(dated(n)) for n in range(6)])
        await journal.settle("bus", Settlement(6, [], [Parked(2, "a", ""), Parked(4, "a", "")]))
        clock.now += 11 * 3600
        await wait_for_trim(journal)
        assert await events(journal) == [2, 4]
        await journal.register("iam", 3)
        await journal.settle("bus", Settlement(6, unparked=[2, 4]))
        await wait_for_trim(journal)
        assert await events(journal) == [4]
        assert journal.meta().events == 1
        await journal.settle("iam", Settlement(6))
        await wait_for_trim(journal)
        assert await events(journal) == []
        assert journal.meta().events == 0


async def test_a_clock_that_was_set_back_makes_nobody_absent_for_too_long(tmp_path: Path) -> None:
    clock = SteppedClock()
    async with opened(tmp_path, clock=clock, limits=replace(LIMITS, absent_ms=HOUR_MS)) as journal:
        await journal.register("iam")
        await journal.append(dated(1))
        await journal.note("iam", LaneNotes(0, absent_ms=int(clock.now * 1000)))
        clock.now -= 50 * 3600
        await wait_for_trim(journal)
        assert journal.meta().holder == "iam"
        assert await events(journal) == [1]


async def test_positions_go_on_when_all_events_are_gone(tmp_path: Path) -> None:
    clock = SteppedClock()
    async with opened(tmp_path, clock=clock, limits=LIMITS) as journal:
        await asyncio.gather(*[journal.append(dated(n)) for n in range(5)])
        clock.now += 11 * 3600
        await wait_for_trim(journal)
        assert await events(journal) == []
    async with opened(tmp_path, clock=clock, limits=LIMITS) as journal:
        assert journal.head == 5
        await journal.append(dated(9))
        assert await events(journal) == [6]


async def test_much_goes_in_slices(tmp_path: Path) -> None:
    clock = SteppedClock()
    async with opened(tmp_path, clock=clock, limits=LIMITS) as journal:
        await asyncio.gather(*[journal.append(dated(n)) for n in range(SLICE * 3)])
        clock.now += 11 * 3600
        await journal._group.control(lambda _: None)
        assert journal.meta().events == SLICE * 2
        await wait_for_trim(journal)
        assert await events(journal) == []


async def test_ids_outlive_bodies_and_are_forgotten_in_the_end(tmp_path: Path) -> None:
    clock = SteppedClock()
    old, timeless = [dated(n) for n in range(1500)], dated(1)._replace(created_ms=0, id="timeless")
    async with opened(tmp_path, clock=clock, limits=LIMITS) as journal:
        await asyncio.gather(*map(journal.append, [*old, timeless]))
    clock.now += 47 * 3600
    async with opened(tmp_path, clock=clock, limits=LIMITS) as journal:
        await wait_for_trim(journal)
        assert await events(journal) == []
        assert set(await asyncio.gather(*map(journal.append, [*old, timeless]))) == {Verdict.DUPLICATE}
    clock.now += 2 * 3600
    async with opened(tmp_path, clock=clock, limits=LIMITS) as journal:
        for _ in range(6):
            await journal._group.control(lambda _: None)
        assert await journal._group.control(lambda db: db.execute("SELECT count(*) FROM seen").fetchone()[0]) == 0
        clock.now += SWEEP_EVERY_MS / 1000
        assert set(await asyncio.gather(*map(journal.append, [*old, timeless]))) == {Verdict.STORED}
