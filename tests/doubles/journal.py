"""A journal in memory that commits at the loop's next turn: for lanes under a virtual clock."""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import TypeVar

from router.dispatch.routes import Globs
from router.envelope import Envelope
from router.journal.batch import dedupe_key
from router.journal.contract import (
    ALL_LETTERS,
    INGRESS,
    DeadLetter,
    JournalError,
    JournalFailedError,
    JournalOpenError,
    KeyHead,
    LaneNotes,
    LaneState,
    LetterFilter,
    LetterGroup,
    LetterKey,
    Meta,
    Parked,
    Record,
    Settlement,
    Verdict,
)
from router.journal.ranges import includes, joined, reach

T = TypeVar("T")
PARKED_MAX_BYTES = 8 << 20
_position = attrgetter("position")


class Shelf:
    """What outlives a MemoryJournal: one after another may open it."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.recorded_ms: dict[int, int] = {}
        self.known: dict[bytes, int] = {}
        self.cursors: dict[str, tuple[int, list[tuple[int, int]]]] = {}
        self.notes: dict[str, LaneNotes] = {}
        self.parked: dict[str, dict[int, Parked]] = {}
        self.dead: list[DeadLetter] = []
        self.letters = 0
        self.number = 0
        self.open = False


class MemoryJournal:
    """Every call is durable at once; nothing is ever dropped but by `drop`. Not opened, it takes any lane's word."""

    def __init__(
        self, gap: Callable[[], int] = lambda: 1, *, shelf: Shelf | None = None, now_ms: Callable[[], int] = lambda: 1
    ) -> None:
        """gap: how far the next position is from the last one; now_ms: when an event is recorded."""
        self._gap = gap
        self._now_ms = now_ms
        self.shelf = shelf or Shelf()
        self.records = self.shelf.records
        self.cursors = self.shelf.cursors
        self.parked = self.shelf.parked
        self.dead = self.shelf.dead
        self.failed: JournalFailedError | None = None
        self.closed = False
        self._head = self.records[-1].position if self.records else 0
        self._new = asyncio.Event()

    @property
    def head(self) -> int:
        return self._head

    def append(self, envelope: Envelope) -> asyncio.Future[Verdict]:
        self._check_open()
        key = dedupe_key(envelope)
        if key in self.shelf.known:
            return _done(Verdict.DUPLICATE)
        self._head += self._gap()
        self.records.append(Record(self._head, envelope))
        self.shelf.known[key] = self._head
        self.shelf.recorded_ms[self._head] = self._now_ms()
        self._wake()
        return _done(Verdict.STORED)

    def fill(self, records: Sequence[Record]) -> None:
        """These and no others are stored: for more than could be appended one by one in a test's time."""
        self.records[:] = records
        self._head = records[-1].position
        self._wake()

    def quarantine(self, letter: DeadLetter) -> asyncio.Future[None]:
        self._check_open()
        if (INGRESS, letter.event_id) not in {(known.lane, known.event_id) for known in self.dead}:
            self._bury([letter])
        return _done(None)

    def settle(self, lane: str, settlement: Settlement) -> asyncio.Future[None]:
        self._check_open()
        if self.shelf.open:
            self._known(lane)
        self.cursors[lane] = (settlement.position, settlement.settled)
        rows = self.parked.setdefault(lane, {})
        for position in settlement.unparked:
            rows.pop(position, None)
        for parked in settlement.parked:
            rows[parked.position] = parked
        self._bury(settlement.dead)
        return _done(None)

    async def open(self) -> None:
        if self.shelf.open or self.closed:
            raise JournalOpenError("somebody has it open, or had this one")
        self.shelf.open = True

    async def close(self) -> None:
        if not self.closed:
            self.closed, self.shelf.open = True, False
            self._wake()

    async def register(self, lane: str, start: int | None = None, about: str = "") -> LaneState:
        if lane not in self.cursors:
            position = self.head if start is None else start
            self.cursors[lane], self.shelf.notes[lane] = (position, []), LaneNotes(position, about=about)
        return self._state(lane)

    async def note(self, lane: str, notes: LaneNotes) -> None:
        self._known(lane)
        self.shelf.notes[lane] = notes

    async def rename(self, lane: str, to: str) -> None:
        earlier = self._known(lane)
        if lane == to:
            return
        if to == INGRESS:
            raise JournalError("no lane can have that name")
        if to in self.cursors:
            later = self._state(to)
            if reach(earlier, max(self.parked.get(lane, {}), default=0)) > later.notes.started:
                raise JournalError("both have read the same events")
            state = joined(earlier, later)
        else:
            state = replace(earlier, name=to)
        self.cursors[to], self.shelf.notes[to] = (state.position, state.settled), state.notes
        self.parked[to] = self.parked.pop(lane, {}) | self.parked.get(to, {})
        taken = {letter.position for letter in self.dead if letter.lane == to}
        kept = [letter for letter in self.dead if letter.lane != lane or letter.position not in taken]
        self.dead[:] = [replace(letter, lane=to) if letter.lane == lane else letter for letter in kept]
        del self.cursors[lane], self.shelf.notes[lane]

    async def forget(self, lane: str) -> None:
        for rows in (self.cursors, self.shelf.notes, self.parked):
            rows.pop(lane, None)

    async def lanes(self) -> Sequence[LaneState]:
        return [self._state(lane) for lane in self.cursors]

    async def number(self, above: int = 0) -> int:
        self.shelf.number = max(self.shelf.number, above) + 1
        return self.shelf.number

    async def position_at(self, recorded_ms: int) -> int:
        places = (record.position for record in self.records)
        return next((place - 1 for place in places if self.shelf.recorded_ms[place] >= recorded_ms), self.head)

    async def read(self, after: int, limit: int, max_bytes: int) -> Sequence[Record]:
        start = bisect_right(self.records, after, key=_position)
        found = self.records[start : start + limit]
        return found[: _fitting([len(record.envelope.json) for record in found], max_bytes)]

    async def wait(self, after: int) -> None:
        while self.head <= after:
            self._check_open()
            await self._new.wait()

    async def parked_heads(self, lane: str, limit: int) -> Sequence[KeyHead]:
        keys: dict[str, list[Parked]] = {}
        for position in sorted(self.parked.get(lane, {})):
            row = self.parked[lane][position]
            if not row.scope:
                keys.setdefault(row.order_key, []).append(row)
        heads = [KeyHead(replace(rows[0], history=()), len(rows)) for rows in keys.values()]
        return sorted(heads, key=lambda head: (head.head.due_ms, head.head.position))[:limit]

    async def parked_scopes(self, lane: str) -> dict[str, int]:
        scopes: dict[str, int] = {}
        for row in self.parked.get(lane, {}).values():
            if row.scope:
                scopes[row.scope] = scopes.get(row.scope, 0) + 1
        return scopes

    async def read_parked(
        self, lane: str, *, order_key: str | None = None, scope: str | None = None, after: int = 0, limit: int = 100
    ) -> Sequence[tuple[Parked, Envelope]]:
        if order_key is not None and scope is None:
            scope = ""
        rows = [
            row
            for position, row in sorted(self.parked.get(lane, {}).items())
            if position > after
            and scope in (None, row.scope)
            and order_key in (None, row.order_key)
        ]  # fmt: skip
        found = [(row, self._event(row.position)) for row in rows[:limit]]
        return found[: _fitting([len(envelope.json) for _, envelope in found], PARKED_MAX_BYTES)]

    def meta(self) -> Meta:
        lowest = min(self.cursors, key=lambda lane: self.cursors[lane][0], default=None)
        most = max(self.parked, key=lambda lane: len(self.parked[lane]), default=None)
        holder = lowest if lowest is not None and self.cursors[lowest][0] < self.head else None
        if holder is None and most is not None and self.parked[most]:
            holder = most
        oldest = self.shelf.recorded_ms[self.records[0].position] if self.records else None
        dead = {lane: sum(letter.lane == lane for letter in self.dead) for lane in {x.lane for x in self.dead}}
        return Meta(self.head, len(self.records), 0, 0, oldest, holder, dead)

    async def dead_letters(
        self, wanted: LetterFilter = ALL_LETTERS, limit: int = 100, after: LetterKey | None = None
    ) -> Sequence[DeadLetter]:
        found = sorted((letter for letter in self.dead if chosen(wanted, letter)), key=letter_key)
        return [letter for letter in found if after is None or letter_key(letter) > after][:limit]

    async def count_letters(self, wanted: LetterFilter = ALL_LETTERS) -> Sequence[LetterGroup]:
        groups: dict[tuple[str, str, str], list[DeadLetter]] = {}
        for letter in await self.dead_letters(wanted, len(self.dead)):
            groups.setdefault((letter.lane, letter.type, letter.reason), []).append(letter)
        return [_group(groups[kind]) for kind in sorted(groups)]

    async def revive(self, lane: str, parked: Mapping[int, Parked]) -> Sequence[int]:
        state = self._known(lane)
        back = [
            letter
            for letter in self.dead
            if letter.lane == lane
            and letter.id in parked
            and parked[letter.id].position == letter.position
            and letter.position <= self.head
            and includes(state, letter.position)
        ]
        for letter in back:
            row = parked[letter.id]
            self.parked.setdefault(lane, {})[row.position] = row
            if self._find(row.position) is None:
                self.records.insert(
                    bisect_left(self.records, row.position, key=_position),
                    Record(row.position, Envelope.from_json(letter.body)),
                )
        await self.purge([letter.id for letter in back])
        return [letter.id for letter in back]

    async def purge(self, ids: Sequence[int]) -> int:
        before, gone = len(self.dead), set(ids)
        self.dead[:] = [letter for letter in self.dead if letter.id not in gone]
        return before - len(self.dead)

    def drop(self, position: int) -> None:
        """As retention does with an event that is settled and not parked."""
        self.records[:] = [record for record in self.records if record.position != position]

    def _bury(self, letters: Iterable[DeadLetter]) -> None:
        for letter in letters:
            place = (letter.lane, letter.position)
            same = [x for x in self.dead if letter.position is not None and (x.lane, x.position) == place]
            if same:
                self.dead[self.dead.index(same[0])] = replace(letter, id=same[0].id)
                continue
            self.shelf.letters += 1
            self.dead.append(replace(letter, id=self.shelf.letters))

    def _find(self, position: int) -> Record | None:
        at = bisect_left(self.records, position, key=_position)
        return self.records[at] if at < len(self.records) and self.records[at].position == position else None

    def _event(self, position: int) -> Envelope:
        record = self._find(position)
        assert record is not None, f"the event at {position} is parked and not kept"
        return record.envelope

    def _state(self, lane: str) -> LaneState:
        position, settled = self.cursors[lane]
        dead = sum(letter.lane == lane for letter in self.dead)
        notes = self.shelf.notes.get(lane, LaneNotes())
        return LaneState(lane, position, settled, len(self.parked.get(lane, {})), dead, notes)

    def _known(self, lane: str) -> LaneState:
        if lane not in self.cursors:
            raise JournalError(f"lane {lane!r} is not registered")
        return self._state(lane)

    def _check_open(self) -> None:
        if self.closed:
            raise JournalError("the journal is closed")

    def _wake(self) -> None:
        self._new.set()
        self._new = asyncio.Event()


def chosen(wanted: LetterFilter, letter: DeadLetter) -> bool:
    """What `LetterFilter` says, letter by letter."""
    return (
        (not wanted.lanes or letter.lane in wanted.lanes)
        and (not wanted.types or Globs(wanted.types)[letter.type])
        and (not wanted.apps or letter.app in wanted.apps)
        and (not wanted.subjects or letter.subject in wanted.subjects)
        and (not wanted.reasons or letter.reason in wanted.reasons)
        and (not wanted.ids or letter.id in wanted.ids)
        and (wanted.since_ms is None or letter.dead_ms >= wanted.since_ms)
        and (wanted.until_ms is None or letter.dead_ms < wanted.until_ms)
        and (wanted.up_to_id is None or letter.id <= wanted.up_to_id)
    )


def letter_key(letter: DeadLetter) -> LetterKey:
    return LetterKey(letter.lane, letter.position or 0, letter.id)


def _group(letters: Sequence[DeadLetter]) -> LetterGroup:
    times = [letter.dead_ms for letter in letters]
    first = letters[0]
    return LetterGroup(
        first.lane, first.type, first.reason, len(letters), min(times), max(times), max(x.id for x in letters)
    )


def _fitting(sizes: Sequence[int], max_bytes: int) -> int:
    total = 0
    for count, size in enumerate(sizes):
        total += size
        if total > max_bytes and count:
            return count
    return len(sizes)


def _done(value: T) -> asyncio.Future[T]:
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    future.set_result(value)
    return future
