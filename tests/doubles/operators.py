"""A router's operations in memory: sinks, dead letters and replays that a test fills."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import groupby
from typing import Any

import orjson

from router.journal.contract import INGRESS, Attempt, DeadLetter, LetterFilter, LetterGroup, LetterKey
from router.operations.contract import (
    ConflictError,
    ConnectionRow,
    Count,
    OperationError,
    ProgramRow,
    ReplayOrder,
    ReplayRow,
    SinkRow,
    Slice,
    UnknownError,
)

BORN_MS = 1_770_000_000_000


def letter(number: int, sink: str = "iam", **changes: Any) -> DeadLetter:
    """A dead letter of a department's event; `number` is its id and its position, and a minute of its time."""
    at = BORN_MS + number * 60_000
    type_, subject = changes.get("type", "corehr.department.updated_v2"), changes.get("subject", f"d{number % 3}")
    body = {"specversion": "1.0", "id": f"e{number}", "type": type_, "subject": subject, "data": {"number": number}}
    given = DeadLetter(
        lane=sink,
        position=None if sink == INGRESS else number,
        event_id=f"e{number}",
        type=type_,
        subject=subject,
        body=orjson.dumps(body),
        reason="http_500",
        detail="answered 500: oops",
        attempts=2,
        first_failed_ms=at - 2000,
        last_failed_ms=at,
        dead_ms=at,
        id=number,
        app="cli_1",
        history=(Attempt(at - 2000, "timeout", "no answer"), Attempt(at, "http_500", "answered 500: oops")),
    )
    return replace(given, **changes)


def row(name: str, **changes: Any) -> SinkRow:
    """A sink that runs, all settled."""
    return replace(SinkRow(name, "http", "running", "closed", "", 100, 0, 0.0, 0, 0), **changes)


@dataclass
class MemoryOperators:
    """Every operation, done at once. asked: each call that changes something, or its filter; raises: what the next call
    ends with; gate: calls wait for it; skips: letters that can't be given back, and why; wait: seconds between slices."""

    rows: dict[str, SinkRow] = field(default_factory=dict)
    kept: list[DeadLetter] = field(default_factory=list)
    running: dict[int, ReplayRow] = field(default_factory=dict)
    stored: list[int] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    skips: dict[int, str] = field(default_factory=dict)
    wait: float = 0.0
    raises: Exception | None = None
    gate: asyncio.Event | None = None
    before_slice: Callable[[], None] = lambda: None
    connected: list[ConnectionRow] = field(default_factory=list)
    here: list[ProgramRow] = field(default_factory=list)

    async def _called(self, *what: Any) -> None:
        self.asked.append(what)
        if self.gate is not None:
            await self.gate.wait()
        if self.raises is not None:
            raise self.raises

    def _row(self, sink: str) -> SinkRow:
        if sink not in self.rows:
            raise UnknownError(f"there is no sink {sink}; there are: {', '.join(self.rows)}")
        return self.rows[sink]

    async def sinks(self) -> Sequence[SinkRow]:
        await self._called("sinks")
        return list(self.rows.values())

    async def connections(self) -> Sequence[ConnectionRow]:
        await self._called("connections")
        return self.connected

    async def programs(self) -> Sequence[ProgramRow]:
        await self._called("programs")
        return self.here

    async def pause(self, sink: str) -> None:
        await self._called("pause", sink)
        self.rows[sink] = replace(self._row(sink), state="paused")

    async def resume(self, sink: str) -> None:
        await self._called("resume", sink)
        self.rows[sink] = replace(self._row(sink), state="running")

    async def forget(self, sink: str) -> None:
        await self._called("forget", sink)
        if self._row(sink).state != "absent":
            raise ConflictError(f"the sink {sink} is in the settings")
        del self.rows[sink]

    def _matching(self, wanted: LetterFilter) -> list[DeadLetter]:
        return sorted((one for one in self.kept if _wants(wanted, one)), key=_key)

    async def letters(self, wanted: LetterFilter, limit: int, after: LetterKey | None) -> Sequence[DeadLetter]:
        await self._called("letters", wanted, limit, after)
        return [one for one in self._matching(wanted) if after is None or _key(one) > after][:limit]

    async def letter(self, number: int) -> DeadLetter:
        await self._called("letter", number)
        for one in self.kept:
            if one.id == number:
                return one
        raise UnknownError(f"there is no dead letter {number}")

    async def count_letters(self, wanted: LetterFilter) -> Sequence[LetterGroup]:
        await self._called("count_letters", wanted)

        def kind(one: DeadLetter) -> tuple[str, str, str]:
            return one.lane, one.type, one.reason

        groups = [(key, list(same)) for key, same in groupby(sorted(self._matching(wanted), key=kind), kind)]
        return [
            LetterGroup(
                *key,
                len(same),
                min(one.dead_ms for one in same),
                max(one.dead_ms for one in same),
                max(one.id for one in same),
            )
            for key, same in groups
        ]

    async def replay_letters(self, wanted: LetterFilter, limit: int, after: LetterKey | None) -> Slice:
        self.before_slice()
        await self._called("replay_letters", wanted, limit, after)
        return self._remove(wanted, limit, after, self.skips)

    async def purge_letters(self, wanted: LetterFilter, limit: int, after: LetterKey | None) -> Slice:
        self.before_slice()
        await self._called("purge_letters", wanted, limit, after)
        return self._remove(wanted, limit, after, {})

    def _remove(self, wanted: LetterFilter, limit: int, after: LetterKey | None, skips: dict[int, str]) -> Slice:
        found = [one for one in self._matching(wanted) if after is None or _key(one) > after]
        step = found[:limit]
        gone = {one.id for one in step} - skips.keys()
        self.kept = [one for one in self.kept if one.id not in gone]
        skipped = [(one.id, skips[one.id]) for one in step if one.id in skips]
        return Slice(len(gone), skipped, _key(step[-1]) if len(found) > limit else None, self.wait)

    async def replay(self, order: ReplayOrder) -> ReplayRow:
        await self._called("replay", order)
        self._row(order.sink)
        number = len(self.running) + 1
        self.running[number] = ReplayRow(number, order, "running", 1, 100, 0, 0, 0)
        return self.running[number]

    async def count_replay(self, order: ReplayOrder, after: int | None) -> Count:
        await self._called("count_replay", order, after)
        self._row(order.sink)
        start = after or 0
        step = self.stored[start : start + 2]
        following = start + 2 if start + 2 < len(self.stored) else None
        return Count(len(step), step[0] if step else None, step[-1] if step else None, following, len(self.stored))

    async def replays(self) -> Sequence[ReplayRow]:
        await self._called("replays")
        return list(self.running.values())

    async def stop_replay(self, number: int) -> ReplayRow:
        await self._called("stop_replay", number)
        if number not in self.running:
            raise UnknownError(f"there is no replay {number}")
        if self.running[number].state == "ended":
            raise OperationError(f"replay {number} has ended")
        self.running[number] = replace(self.running[number], state="ended")
        return self.running[number]


def _key(one: DeadLetter) -> LetterKey:
    return LetterKey(one.lane, one.position or 0, one.id)


def _wants(wanted: LetterFilter, one: DeadLetter) -> bool:
    included = [glob for glob in wanted.types if not glob.startswith("!")] or ["*"]
    excluded = [glob[1:] for glob in wanted.types if glob.startswith("!")]
    return (
        (not wanted.lanes or one.lane in wanted.lanes)
        and any(fnmatchcase(one.type, glob) for glob in included)
        and not any(fnmatchcase(one.type, glob) for glob in excluded)
        and (not wanted.apps or one.app in wanted.apps)
        and (not wanted.subjects or one.subject in wanted.subjects)
        and (not wanted.reasons or one.reason in wanted.reasons)
        and (wanted.since_ms is None or one.dead_ms >= wanted.since_ms)
        and (wanted.until_ms is None or one.dead_ms < wanted.until_ms)
        and (not wanted.ids or one.id in wanted.ids)
        and (wanted.up_to_id is None or one.id <= wanted.up_to_id)
    )
