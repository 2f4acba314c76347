"""The journal on disk against lists and dictionaries (`MemoryJournal`): every method of the contract, in any order, with
restarts, crashes, retention and a clock that may go back.

JOURNAL_MODEL_EXAMPLES says how many runs (15), JOURNAL_MODEL_STEPS how long each is (30).
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from router.envelope import Envelope
from router.journal.contract import (
    INGRESS,
    Attempt,
    DeadLetter,
    JournalError,
    LaneNotes,
    LaneState,
    LetterFilter,
    Parked,
    Settlement,
    Verdict,
)
from router.journal.ranges import includes
from tests.contracts.journal import letter
from tests.doubles.envelopes import make_envelope
from tests.doubles.journal import MemoryJournal, Shelf, letter_key
from tests.doubles.stepped import SteppedClock
from tests.journal.books import SMALL, make_journal

T = TypeVar("T")
MANY = 1 << 30
HOUR_MS = 3_600_000
LIMITS = replace(SMALL, retention_ms=10 * HOUR_MS, dedupe_ms=48 * HOUR_MS, absent_ms=20 * HOUR_MS)
LANES = st.sampled_from(["bus", "iam", "bus/replay-1"])
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=3)
HISTORY = st.lists(st.builds(Attempt, st.integers(0, 9), TEXT, TEXT), max_size=3).map(tuple)
FILTERS = st.builds(
    LetterFilter,
    lanes=st.lists(st.sampled_from(["bus", "iam", INGRESS]), max_size=2).map(tuple),
    types=st.sampled_from([(), ("a.*",), ("!a.0",), ("a.[12]", "!a.2"), ("x",)]),
    subjects=st.sampled_from([(), (), ("s-1",)]),
    reasons=st.sampled_from([(), (), ("r1",)]),
)


def event(number: int) -> Envelope:
    return make_envelope(number, type_=f"a.{number % 3}", subject=f"s-{number % 2}")._replace(created_ms=1 + number)


class Model(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.places: list[Path] = []
        self.clock = SteppedClock()
        self.shelf = Shelf()
        self.ever: dict[int, bytes] = {}
        self.stored_at: dict[str, float] = {}
        self.last_id = 0
        self.start(Path(tempfile.mkdtemp()))

    def start(self, place: Path) -> None:
        if place not in self.places:
            self.places.append(place)
        self.real = make_journal(place, self.clock, LIMITS)
        self.do(self.real.open())
        self.shelf.open = False
        self.model = MemoryJournal(shelf=self.shelf, now_ms=lambda: int(self.clock.now * 1000))
        self.model._head = max(self.ever, default=0)
        self.do(self.model.open())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        async def run() -> T:
            return await asyncio.wait_for(work, 30)

        return self.runner.run(run())

    def settle_both(self, lane: str, settlement: Settlement) -> None:
        async def run() -> None:
            await self.real.settle(lane, settlement)
            await self.model.settle(lane, settlement)

        self.do(run())
        self.adopt_ids()

    def adopt_ids(self) -> None:
        """Ids are the journal's to give, but none twice."""
        ids = {(row.lane, row.position, row.event_id): row.id for row in self.do(self.real.dead_letters(limit=1000))}
        new = [row for row in self.model.dead if row.id > self.last_id]
        assert len(ids) == len(self.model.dead)
        for row in new:
            given = ids[row.lane, row.position, row.event_id]
            assert given > self.last_id, "an id was given twice"
            self.model.dead[self.model.dead.index(row)] = replace(row, id=given)
        self.last_id = self.shelf.letters = max([self.last_id, *ids.values()])

    # What comes in

    @rule(numbers=st.lists(st.integers(0, 30), min_size=1, max_size=8))
    def append(self, numbers: list[int]) -> None:
        async def run() -> list[Verdict]:
            return await asyncio.gather(*[self.real.append(event(n)) for n in numbers])

        for number, verdict in zip(numbers, self.do(run()), strict=True):
            self.appended(event(number), verdict)

    def appended(self, envelope: Envelope, verdict: Verdict) -> None:
        since = self.stored_at.get(envelope.id)
        if verdict is Verdict.DUPLICATE:
            assert since is not None, f"{envelope.id} was never stored"
            return
        assert since is None or self.clock.now - since > 48 * 3600, f"{envelope.id} stored again"
        self.shelf.known.clear()

        async def run() -> Verdict:
            return await self.model.append(envelope)

        assert self.do(run()) is Verdict.STORED
        self.ever[self.model.head] = envelope.json
        self.stored_at[envelope.id] = self.clock.now

    @rule(number=st.integers(0, 4), reason=st.sampled_from(["r1", "r2"]), app=TEXT)
    def quarantine(self, number: int, reason: str, app: str) -> None:
        kept = replace(letter(INGRESS, None, f"push-{number}"), reason=reason, app=app, type=f"a.{number % 3}")

        async def run() -> None:
            await self.real.quarantine(kept)
            await self.model.quarantine(kept)

        self.do(run())
        self.adopt_ids()

    # Lanes

    @rule(lane=LANES, about=TEXT, back=st.none() | st.integers(0, 12))
    def register(self, lane: str, about: str, back: int | None) -> None:
        start = None if back is None else max(0, self.model.head - back)
        states = [self.do(book.register(lane, start, about)) for book in (self.real, self.model)]
        assert states[0] == states[1]

    def lane_of(self, data: st.DataObject) -> LaneState:
        lanes = {state.name: state for state in self.do(self.model.lanes())}
        return lanes[data.draw(st.sampled_from(sorted(lanes)))]

    @precondition(lambda self: self.model.cursors)
    @rule(
        data=st.data(),
        steps=st.integers(0, 8),
        gap=st.integers(0, 2),
        history=HISTORY,
        scope=st.sampled_from(["", "t"]),
    )
    def settle(self, data: st.DataObject, steps: int, gap: int, history: tuple[Attempt, ...], scope: str) -> None:
        """All up to a position, then perhaps some beyond a gap; of the new ones some parked, some dead, by turns."""
        state = self.lane_of(data)
        position = max(state.position, min(self.model.head, state.position + steps))
        above = [(first, last) for first, last in state.settled if first > position + 1]
        if gap and not above and position + gap < self.model.head:
            above = [(position + gap + 1, min(self.model.head, position + gap + 3))]
        after = replace(state, position=position, settled=above)
        new = [
            r for r in self.model.records if includes(after, r.position) and not includes(state, r.position)
        ]  # fmt: skip
        parked = [
            Parked(r.position, f"k{r.position % 3}", scope, 1, 2, due_ms=r.position % 5, history=history)
            for r in new[::3]
        ]
        dead = [self.letter_of(state.name, r.position, r.envelope, history) for r in new[1::3]]
        old = sorted(self.model.parked.get(state.name, {}))
        unparked = data.draw(st.lists(st.sampled_from(old), unique=True)) if old else []
        self.settle_both(state.name, Settlement(position, above, parked, unparked, dead))

    def letter_of(self, lane: str, position: int, envelope: Envelope, history: tuple[Attempt, ...]) -> DeadLetter:
        plain = letter(lane, position, envelope.id, envelope.json)
        return replace(
            plain, type=envelope.type, subject=envelope.subject, app=envelope.appid, history=history,
            reason=f"r{position % 3}", dead_ms=int(self.clock.now * 1000),
        )  # fmt: skip

    @precondition(lambda self: self.model.cursors)
    @rule(data=st.data(), paused=st.booleans(), absent=st.booleans(), about=TEXT)
    def note(self, data: st.DataObject, paused: bool, absent: bool, about: str) -> None:
        state = self.lane_of(data)
        notes = LaneNotes(state.notes.started, paused, int(self.clock.now * 1000) if absent else 0, about)
        for book in (self.real, self.model):
            self.do(book.note(state.name, notes))

    @precondition(lambda self: self.model.cursors)
    @rule(data=st.data(), to=st.sampled_from(["bus", "iam", "new", INGRESS]))
    def rename(self, data: st.DataObject, to: str) -> None:
        lane = self.lane_of(data).name
        outcomes = [self.refused(book.rename(lane, to)) for book in (self.real, self.model)]
        assert outcomes[0] == outcomes[1]

    def refused(self, work: Coroutine[Any, Any, Any]) -> bool:
        try:
            self.do(work)
        except JournalError:
            return True
        return False

    @precondition(lambda self: self.model.cursors)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        lane = self.lane_of(data).name
        for book in (self.real, self.model):
            self.do(book.forget(lane))

    # Dead letters

    @precondition(lambda self: self.model.dead and self.model.cursors)
    @rule(data=st.data(), shift=st.sampled_from([0, 0, 0, 1]))
    def revive(self, data: st.DataObject, shift: int) -> None:
        lane = self.lane_of(data).name
        chosen = data.draw(st.lists(st.sampled_from(self.model.dead), unique_by=lambda row: row.id))
        rows = {row.id: Parked((row.position or 1) + shift, "k1", "", history=row.history) for row in chosen}
        back = [sorted(self.do(book.revive(lane, rows))) for book in (self.real, self.model)]
        assert back[0] == back[1]

    @rule(ids=st.lists(st.integers(0, 12), max_size=4))
    def purge(self, ids: list[int]) -> None:
        gone = [self.do(book.purge(ids)) for book in (self.real, self.model)]
        assert gone[0] == gone[1]

    @rule(wanted=FILTERS, limit=st.integers(1, 5), data=st.data())
    def search(self, wanted: LetterFilter, limit: int, data: st.DataObject) -> None:
        last = data.draw(st.none() | st.sampled_from(self.model.dead)) if self.model.dead else None
        after = letter_key(last) if last is not None else None
        found = [self.do(book.dead_letters(wanted, limit, after)) for book in (self.real, self.model)]
        assert list(found[0]) == list(found[1])
        counts = [self.do(book.count_letters(wanted)) for book in (self.real, self.model)]
        assert list(counts[0]) == list(counts[1])

    # Time, ends and starts

    @rule(hours=st.integers(-2, 30))
    def pass_time(self, hours: int) -> None:
        self.clock.now += hours * 3600 + 0.001
        before = -1
        while before != (before := self.real.meta().events):
            self.do(self.real._group.written())
            self.do(self.committed())

    async def committed(self) -> None:
        await self.real._group.control(lambda _: None)

    @rule()
    def restart(self) -> None:
        self.do(self.real.close())
        self.start(self.places[-1])

    @rule()
    def crash(self) -> None:
        """Go on with what is on disk at this moment; the one that crashed goes."""
        place = Path(tempfile.mkdtemp())
        for name in ("journal.db", "journal.db-wal"):
            shutil.copyfile(self.places[-1] / name, place / name)
        self.do(self.real.close())
        self.start(place)

    # What must be true whenever one looks

    def needed(self, position: int, low: int, parked: set[int]) -> bool:
        young = int(self.clock.now * 1000) - self.shelf.recorded_ms[position] <= LIMITS.retention_ms
        return young or position > low or position in parked

    def holding(self) -> list[LaneState]:
        now = int(self.clock.now * 1000)
        return [state for state in self.do(self.model.lanes()) if LIMITS.holds(state.notes.absent_ms, now)]

    @invariant()
    def events_agree(self) -> None:
        if not hasattr(self, "real"):
            return
        found = self.do(self.real._reader.events(0, 1000, MANY))
        kept = {record.position for record in found}
        low = min((state.position for state in self.holding()), default=self.model.head)
        parked = {position for rows in self.model.parked.values() for position in rows}
        for record in list(self.model.records):
            if record.position not in kept:
                assert not self.needed(record.position, low, parked), f"event {record.position} is gone"
                self.model.drop(record.position)
        assert [(r.position, r.envelope.json) for r in found] == [
            (r.position, r.envelope.json) for r in self.model.records
        ]
        self.reads_agree()

    def reads_agree(self) -> None:
        after = max(0, self.model.head - 5)
        read = {r.position: r.envelope.json for r in self.do(self.real.read(after, 10, MANY))}
        assert {r.position for r in self.model.records if r.position > after} <= read.keys()
        assert read.items() <= self.ever.items()
        now = int(self.clock.now * 1000)
        for moment in (0, now - 15 * HOUR_MS, now, now + 1):
            places = [self.do(book.position_at(moment)) for book in (self.real, self.model)]
            assert places[0] == places[1], f"the place of {moment - now} ms from now"

    @invariant()
    def lanes_agree(self) -> None:
        if not hasattr(self, "real"):
            return
        real, model = self.by_name(self.do(self.real.lanes())), self.by_name(self.do(self.model.lanes()))
        assert real == model
        for name in model:
            for query in ({}, {"order_key": "k1"}, {"scope": "t"}, {"after": 3, "limit": 2}):
                rows = [self.do(book.read_parked(name, **query)) for book in (self.real, self.model)]
                assert [(p, e.json) for p, e in rows[0]] == [(p, e.json) for p, e in rows[1]]
            heads = [self.do(book.parked_heads(name, 100)) for book in (self.real, self.model)]
            assert list(heads[0]) == list(heads[1])
            scopes = [self.do(book.parked_scopes(name)) for book in (self.real, self.model)]
            assert scopes[0] == scopes[1]

    def by_name(self, states: Sequence[LaneState]) -> dict[str, LaneState]:
        return {
            state.name: replace(state, settled=[(first, last) for first, last in state.settled]) for state in states
        }

    @invariant()
    def sums_agree(self) -> None:
        if not hasattr(self, "real"):
            return
        real, model = self.real.meta(), self.model.meta()
        assert (real.head, real.events, dict(real.dead)) == (model.head, model.events, dict(model.dead))
        assert real.oldest_ms == model.oldest_ms
        assert real.holder in self.holders() if self.holders() else real.holder is None
        every = [self.do(book.dead_letters(limit=1000)) for book in (self.real, self.model)]
        assert list(every[0]) == list(every[1])
        sizes = {lane: tally.dead_bytes for lane, tally in self.real._tallies.items() if tally.dead}
        assert sizes == {lane: self.bytes_of(lane) for lane in model.dead}

    def holders(self) -> set[str]:
        """Who holds most: the farthest behind of those that hold events, else those with most parked ones."""
        behind = {state.name: state.position for state in self.holding() if state.position < self.model.head}
        if behind:
            return {name for name, position in behind.items() if position == min(behind.values())}
        parked = {name: len(rows) for name, rows in self.model.parked.items() if rows and name in self.model.cursors}
        return {name for name, count in parked.items() if count == max(parked.values())}

    def bytes_of(self, lane: str) -> int:
        query = "SELECT sum(length(body) + length(history)) FROM dead_letters WHERE lane = ?"

        async def run() -> int:
            size: int = await self.real._group.control(lambda db: db.execute(query, (lane,)).fetchone()[0])
            return size

        return self.do(run())

    def teardown(self) -> None:
        if hasattr(self, "real"):
            self.do(self.real.close())
            self.runner.close()
            for place in self.places:
                shutil.rmtree(place)


TestModel = pytest.mark.timeout(600)(Model.TestCase)
TestModel.settings = settings(
    max_examples=int(os.environ.get("JOURNAL_MODEL_EXAMPLES", "15")),
    stateful_step_count=int(os.environ.get("JOURNAL_MODEL_STEPS", "30")),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
