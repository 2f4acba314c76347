"""Stored events sent to a sink again: each replay is a lane of its own, with a cursor that survives restarts."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

import orjson
from pydantic import TypeAdapter

from router.dispatch.errand import Errand
from router.dispatch.lane import Lane
from router.dispatch.order import ReplayOrder
from router.dispatch.outlet import Outlet
from router.dispatch.parts import Parts
from router.dispatch.rate import Rate
from router.dispatch.registration import REPLAY, number_of, sink_of
from router.dispatch.routes import wanted
from router.journal.contract import JournalError, JournalFullError, LaneState
from router.telemetry import facts

AGAIN_SECONDS = 5.0
ENDED_MAX = 20
"""Ended replays that are remembered, so that somebody who asks sees them."""


_ORDER = TypeAdapter(ReplayOrder)


@dataclass(slots=True)
class Replay:
    """One replay. first, last: positions of the journal that it goes through; lane: what drives it."""

    number: int
    order: ReplayOrder
    errand: Errand
    first: int
    last: int
    lane: Lane
    ending: bool = False
    ended: bool = False


class Replays:
    """Begins, drives and ends them. `run` is the worker that they live in."""

    def __init__(self, outlets: Mapping[str, Outlet], parts: Parts) -> None:
        self._outlets = outlets
        self._parts = parts
        self._highest = 0
        self._replays: dict[int, Replay] = {}
        self._tasks: dict[asyncio.Task[None], Replay] = {}
        self._changed = asyncio.Event()

    def all(self) -> list[Replay]:
        """Those under way, and the last ones that ended in this run of the router."""
        return list(self._replays.values())

    def get(self, number: int) -> Replay | None:
        """One of them."""
        return self._replays.get(number)

    async def restore(self, states: Iterable[LaneState]) -> None:
        """Take up those that an earlier run of the router left, before `run`; those of absent sinks rest.

        Earlier versions gave numbers that the journal doesn't know of: new ones are above all that are there.
        """
        numbers = {number: state for state in states if (number := number_of(state.name))}
        self._highest = max(numbers, default=0)
        for number, state in numbers.items():
            sink = sink_of(state.name)
            if sink in self._outlets:
                about = orjson.loads(state.notes.about)
                order = replace(_ORDER.validate_python(about["order"]), sink=sink)  # it may have been renamed
                await self._add(number, order, state.notes.started, about["last"], about["time"])

    async def span(self, order: ReplayOrder) -> tuple[int, int]:
        """Positions that it goes through: after the first, up to the last."""
        journal = self._parts.journal
        first = await journal.position_at(order.since_ms or 0)
        last = journal.head if order.until_ms is None else await journal.position_at(order.until_ms)
        return first, max(first, last)

    async def begin(self, order: ReplayOrder) -> Replay:
        """Start one, durably. Raises JournalError; KeyError for an unknown sink."""
        outlet = self._outlets[order.sink]
        first, last = await self.span(order)
        number = await self._parts.journal.number(self._highest)
        time = (
            datetime.fromtimestamp(self._parts.clock.wall(), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        )
        about = orjson.dumps({"order": asdict(order), "last": last, "time": time}).decode()
        await self._parts.journal.register(f"{outlet.name}{REPLAY}{number}", first, about)
        replay = await self._add(number, order, first, last, time)
        self._parts.telemetry.emit(facts.REPLAY_STARTED, sink=order.sink, number=number, first=first + 1, last=last)
        self._changed.set()
        return replay

    async def end(self, replay: Replay) -> None:
        """Stop it now; what was not sent is not sent. Raises JournalError, and then it goes on."""
        if replay.ending or replay.ended:
            return
        replay.ending = True
        try:
            for task in [task for task, other in self._tasks.items() if other is replay]:
                task.cancel()
                await asyncio.wait([task])
            await self._forget(replay)
        except JournalError:
            replay.lane = await self._lane(
                replay.order, replay.errand
            )  # the old one has given up what it had under way
            raise
        finally:
            replay.ending = False
            self._changed.set()

    async def run(self) -> None:
        """Drive them until cancelled. Raises what ended one of their lanes."""
        try:
            while True:
                self._changed.clear()
                self._start()
                waits = [asyncio.ensure_future(self._changed.wait()), *self._tasks]
                try:
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waits[0].cancel()
                for task in [task for task in self._tasks if task.done()]:
                    replay = self._tasks.pop(task)
                    if not task.cancelled():
                        task.result()
                        await self._finish(replay)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self) -> None:
        running = {replay.number for replay in self._tasks.values()}
        for replay in self._replays.values():
            if not (replay.ended or replay.ending) and replay.number not in running:
                self._tasks[asyncio.create_task(replay.lane.run(), name=f"lane {replay.lane.name}")] = replay

    async def _add(self, number: int, order: ReplayOrder, first: int, last: int, time: str) -> Replay:
        errand = Errand(
            f"{order.sink}{REPLAY}{number}",
            wanted(order.types, order.apps, order.tenants, order.subjects),
            last,
            time,
            Rate(order.rate, self._parts.clock.monotonic),
        )
        lane = await self._lane(order, errand)
        replay = self._replays[number] = Replay(number, order, errand, first, last, lane)
        return replay

    async def _lane(self, order: ReplayOrder, errand: Errand) -> Lane:
        lane = Lane(self._outlets[order.sink], self._parts, errand)
        await lane.register()
        return lane

    async def _finish(self, replay: Replay) -> None:
        """It came to its end. On a full disk its cursor can't be dropped yet: nothing else must end by that."""
        while not (replay.ended or replay.ending):
            try:
                await self._forget(replay)
            except JournalFullError:
                await self._parts.clock.sleep(AGAIN_SECONDS)

    async def _forget(self, replay: Replay) -> None:
        await replay.lane.durable()
        await self._parts.journal.forget(replay.lane.name)
        replay.ended = True
        delivered = replay.lane.reading().delivered
        self._parts.telemetry.emit(
            facts.REPLAY_ENDED, sink=replay.order.sink, number=replay.number, delivered=delivered, done=replay.lane.done
        )
        ended = [number for number, other in self._replays.items() if other.ended]
        for number in ended[:-ENDED_MAX]:
            del self._replays[number]
