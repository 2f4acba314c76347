"""Against a model: a hypothesis machine that appends, copies, settles, parks, buries, restarts and lets time pass."""

import asyncio
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from router.journal.contract import DeadLetter, LaneNotes, Parked, Settlement, Verdict
from router.journal.retention import SLICE, SWEEP_EVERY_MS
from router.journal.sqlite import SqliteJournal
from tests.contracts.journal import dated
from tests.doubles.stepped import SteppedClock
from tests.journal.books import SMALL, make_journal, opened

T = TypeVar("T")
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
        assert journal.meta().holder is None
        await wait_for_trim(journal)
        assert await events(journal) == [2]
        await journal.note("iam", LaneNotes())
        await asyncio.gather(*[journal.append(dated(n)) for n in range(6, 9)])
        await journal.settle("bus", Settlement(9))
        clock.now += 30 * 3600
        await wait_for_trim(journal)
        assert await events(journal) == [2, 7, 8, 9]
        assert len(await journal.read_parked("iam")) == 1


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


NUMBERS = st.integers(0, 30)


class Model(RuleBasedStateMachine):
    """The journal beside lists and dictionaries that say what it must answer."""

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.place = Path(tempfile.mkdtemp())
        self.clock = SteppedClock()
        self.stored: dict[int, tuple[str, float]] = {}
        self.seen: dict[str, float] = {}
        self.positions: dict[str, int] = {}
        self.parked: dict[str, dict[int, Parked]] = {}
        self.dead: dict[tuple[str, int], DeadLetter] = {}
        self.head = 0
        self.start()

    def start(self) -> None:
        self.journal = make_journal(self.place, self.clock, LIMITS)
        self.do(self.journal.open())

    def do(self, work: Any) -> Any:
        async def run() -> Any:
            return await asyncio.wait_for(work, 20)

        return self.runner.run(run())

    @rule(numbers=st.lists(NUMBERS, min_size=1, max_size=12))
    def append(self, numbers: list[int]) -> None:
        async def run() -> list[Verdict]:
            return await asyncio.gather(*[self.journal.append(dated(n)) for n in numbers])

        for number, verdict in zip(numbers, self.do(run()), strict=True):
            name = f"event-{number}"
            since = self.seen.get(name)
            if verdict is Verdict.DUPLICATE:
                assert since is not None, f"{name} was never stored"
                continue
            assert since is None or self.clock.now - since > 48 * 3600, f"{name} stored again"
            self.head += 1
            self.stored[self.head] = (name, self.clock.now)
            self.seen[name] = self.clock.now

    @rule(lane=st.sampled_from(["bus", "iam"]))
    def register(self, lane: str) -> None:
        state = self.do(self.journal.register(lane))
        assert state.position == self.positions.setdefault(lane, self.head)
        self.parked.setdefault(lane, {})

    @precondition(lambda self: self.positions)
    @rule(data=st.data(), steps=st.integers(0, 10), park=st.booleans(), bury=st.booleans())
    def settle(self, data: st.DataObject, steps: int, park: bool, bury: bool) -> None:
        lane = data.draw(st.sampled_from(sorted(self.positions)))
        before = self.positions[lane]
        position = min(self.head, before + steps)
        new = list(range(before + 1, position + 1))
        parked = [Parked(n, f"k{n % 3}", "", due_ms=n) for n in new[::2]] if park else []
        dead = [DeadLetter(lane, n, "e", "t", None, b"{}", "r", "d", 1, 1, 1, 1) for n in new[1::2]] if bury else []
        old = sorted(self.parked[lane])
        unparked = data.draw(st.lists(st.sampled_from(old), unique=True)) if old else []

        async def run() -> None:
            await self.journal.settle(lane, Settlement(position, [], parked, unparked, dead))

        self.do(run())
        self.positions[lane] = position
        for gone in unparked:
            del self.parked[lane][gone]
        self.parked[lane] |= {row.position: row for row in parked}
        self.dead |= {(lane, row.position or 0): row for row in dead}

    @precondition(lambda self: self.positions)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        lane = data.draw(st.sampled_from(sorted(self.positions)))
        self.do(self.journal.forget(lane))
        del self.positions[lane], self.parked[lane]

    @rule(hours=st.integers(1, 30))
    def pass_time(self, hours: int) -> None:
        self.clock.now += hours * 3600
        self.do(wait_for_trim(self.journal))

    @rule()
    def restart(self) -> None:
        self.do(self.journal.close())
        self.start()

    def needed(self) -> set[int]:
        """What must still be there: young, unsettled by a lane, or parked."""
        low = min(self.positions.values(), default=self.head)
        young = {n for n, (_, at) in self.stored.items() if self.clock.now - at <= 10 * 3600}
        return young | {n for n in self.stored if n > low} | {n for rows in self.parked.values() for n in rows}

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "journal"):
            return
        records = self.do(self.journal._reader.events(0, 1000, MANY))
        found = {record.position: record.envelope.id for record in records}
        assert list(found) == sorted(found)
        assert found.items() <= {n: name for n, (name, _) in self.stored.items()}.items()
        assert self.journal.head == self.head
        needed = self.needed()
        assert needed & set(self.stored) <= set(found) | (needed - set(self.stored))
        assert {p for p in needed if p in self.stored} <= set(found)
        self.stored = {n: self.stored[n] for n in found}
        meta = self.journal.meta()
        assert (meta.events, meta.head) == (len(found), self.head)
        assert meta.oldest_ms == (int(self.stored[min(found)][1] * 1000) if found else None)
        lanes = {state.name: (state.position, state.parked) for state in self.do(self.journal.lanes())}
        assert lanes == {name: (self.positions[name], len(self.parked[name])) for name in self.positions}
        for name, rows in self.parked.items():
            got = self.do(self.journal.read_parked(name))
            assert [row for row, _ in got] == [rows[n] for n in sorted(rows)]
        letters = self.do(self.journal.dead_letters(limit=1000))
        assert {(row.lane, row.position) for row in letters} == set(self.dead)

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.do(self.journal.close())
            self.runner.close()
            shutil.rmtree(self.place)


TestModel = Model.TestCase
TestModel.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
