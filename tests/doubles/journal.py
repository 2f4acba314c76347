"""A journal in memory that commits at the loop's next turn: for lanes under a virtual clock."""

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TypeVar

from router.envelope import Envelope
from router.journal.contract import (
    DeadLetter,
    JournalFailedError,
    KeyHead,
    LaneState,
    Meta,
    Parked,
    Record,
    Settlement,
    Verdict,
)

T = TypeVar("T")


class MemoryJournal:
    """Every call is durable at once. `crash()` gives a journal with what was settled, for a restarted lane."""

    def __init__(self, gap: Callable[[], int] = lambda: 1) -> None:
        """gap: how far the next position is from the last one."""
        self._gap = gap
        self.records: list[Record] = []
        self.cursors: dict[str, tuple[int, list[tuple[int, int]]]] = {}
        self.parked: dict[str, dict[int, Parked]] = {}
        self.dead: list[DeadLetter] = []
        self.failed: JournalFailedError | None = None
        self._new = asyncio.Event()

    @property
    def head(self) -> int:
        return self.records[-1].position if self.records else 0

    def append(self, envelope: Envelope) -> asyncio.Future[Verdict]:
        self.records.append(Record(self.head + self._gap(), envelope))
        self._new.set()
        self._new = asyncio.Event()
        return _done(Verdict.STORED)

    def quarantine(self, letter: DeadLetter) -> asyncio.Future[None]:
        self.dead.append(letter)
        return _done(None)

    def settle(self, lane: str, settlement: Settlement) -> asyncio.Future[None]:
        self.cursors[lane] = (settlement.position, settlement.settled)
        rows = self.parked.setdefault(lane, {})
        for position in settlement.unparked:
            rows.pop(position, None)
        for parked in settlement.parked:
            rows[parked.position] = parked
        self.dead.extend(settlement.dead)
        return _done(None)

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        return None

    async def register(self, lane: str, start: int | None = None) -> LaneState:
        position, settled = self.cursors.setdefault(lane, (self.head if start is None else start, []))
        return LaneState(lane, position, settled, len(self.parked.get(lane, {})), 0)

    async def forget(self, lane: str) -> None:
        self.cursors.pop(lane, None)
        self.parked.pop(lane, None)

    async def lanes(self) -> Sequence[LaneState]:
        return [await self.register(lane) for lane in self.cursors]

    async def read(self, after: int, limit: int, max_bytes: int) -> Sequence[Record]:
        start = bisect_right(self.records, after, key=attrgetter("position"))
        return self.records[start : start + limit]

    async def wait(self, after: int) -> None:
        while self.head <= after:
            await self._new.wait()

    async def parked_heads(self, lane: str, limit: int) -> Sequence[KeyHead]:
        keys: dict[str, list[Parked]] = {}
        for position in sorted(self.parked.get(lane, {})):
            row = self.parked[lane][position]
            if not row.scope:
                keys.setdefault(row.order_key, []).append(row)
        return [KeyHead(rows[0], len(rows)) for rows in keys.values()][:limit]

    async def parked_scopes(self, lane: str) -> dict[str, int]:
        scopes: dict[str, int] = {}
        for row in self.parked.get(lane, {}).values():
            if row.scope:
                scopes[row.scope] = scopes.get(row.scope, 0) + 1
        return scopes

    async def read_parked(
        self, lane: str, *, order_key: str | None = None, scope: str | None = None, after: int = 0, limit: int = 100
    ) -> Sequence[tuple[Parked, Envelope]]:
        rows = [
            row
            for position, row in sorted(self.parked.get(lane, {}).items())
            if position > after
            and (row.scope == scope if scope is not None else (row.order_key, row.scope) == (order_key, ""))
        ]
        return [(row, (await self.read(row.position - 1, 1, 0))[0].envelope) for row in rows[:limit]]

    def meta(self) -> Meta:
        return Meta(self.head, len(self.records), 0, 0, None, None)

    async def dead_letters(self, lane: str | None = None, limit: int = 100, after: int = 0) -> Sequence[DeadLetter]:
        return [letter for letter in self.dead if lane is None or letter.lane == lane][:limit]


def _done(value: T) -> asyncio.Future[T]:
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    future.set_result(value)
    return future
