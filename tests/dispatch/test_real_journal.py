"""A lane over the real journal, in real time: short faults, restarts, and everything ends once and in order."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from router.clock import SystemClock
from router.dispatch.lane import Lane
from router.dispatch.outlet import Outlet
from router.dispatch.parts import Parts
from router.envelope import Envelope
from router.journal.contract import LetterFilter
from router.journal.sqlite import SqliteJournal
from router.settings.model import DispatchSettings, JournalSettings
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger
from sinks.contract import DELIVERED, Outcome, Rejected, Retry, Sink, Unavailable
from sinks.settings import SinkSettings
from tests.dispatch.lanes import running
from tests.doubles.events import envelope
from tests.doubles.scripted import ScriptedSink
from tests.doubles.waiting import until

EVENTS = 400


class World:
    """What goes wrong now. poison: never gets through."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.poison = f"e{rng.randrange(EVENTS)}"
        self.down = self.topic_down = False
        self.sink = ScriptedSink(
            self.answer,
            max_events=rng.choice([1, 20]),
            concurrency=rng.choice([1, 4]),
            keeps_order=rng.random() < 0.5,
            seconds=lambda: 0.001,
            scope=lambda event: event.type,
        )

    def answer(self, event: Envelope) -> Outcome:
        if self.down:
            return Unavailable("down")
        if event.type == "t1" and self.topic_down:
            return Unavailable("denied", scope="t1")
        if event.id == self.poison:
            return Rejected("bad")
        return Retry("flaky") if self.rng.random() < 0.02 else DELIVERED


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[SqliteJournal]:
    telemetry = Telemetry(make_logger("error", "json"))
    journal = SqliteJournal(folder / "journal.db", JournalSettings(), telemetry, SystemClock())
    await journal.open()
    try:
        yield journal
    finally:
        await journal.close()


def make(sink: Sink, journal: SqliteJournal) -> Lane:
    retry = {"initial_seconds": 0.02, "max_seconds": 0.1, "max_attempts": 50}
    settings = SinkSettings.model_validate({"type": "memory", "retry": retry})
    telemetry = Telemetry(make_logger("error", "json"))
    parts = Parts(journal, DispatchSettings(), telemetry, SystemClock())
    return Lane(Outlet("s", sink, settings, parts), parts)


async def push(world: World, journal: SqliteJournal, numbers: range) -> None:
    for n in numbers:
        await journal.append(envelope(n, f"s{world.rng.randrange(6)}", f"t{world.rng.randrange(3)}"))


@pytest.mark.parametrize("seed", range(6))
async def test_everything_ends_once_and_in_order(seed: int, tmp_path: Path) -> None:
    world = World(seed)
    quarter = EVENTS // 4
    for part in range(2):
        async with opened(tmp_path) as journal, running(make(world.sink, journal)):
            world.topic_down = world.rng.random() < 0.7
            await push(world, journal, range(part * quarter, (part + 1) * quarter))
            world.down = part == 1
            await asyncio.sleep(world.rng.uniform(0, 0.3))
    world.down = world.topic_down = False
    async with opened(tmp_path) as journal:
        async with running(make(world.sink, journal)) as lane:
            await push(world, journal, range(2 * quarter, EVENTS))
            await until(lambda: not (lane.reading().lag_events or lane.reading().parked), 60)
        letters = await journal.dead_letters(LetterFilter(lanes=("s",)), limit=10_000)
    async with opened(tmp_path) as journal:
        [state] = await journal.lanes()
        records = await journal.read(0, EVENTS, 1 << 30)
    assert (state.position, state.settled, state.parked) == (EVENTS, [], 0)
    assert [letter.event_id for letter in letters] == [world.poison]
    assert set(world.sink.delivered) == {f"e{n}" for n in range(EVENTS)} - {world.poison}
    events = {record.envelope.id: record for record in records}
    last: dict[tuple[str, str], int] = {}
    for id_ in dict.fromkeys(world.sink.delivered):
        position, event = events[id_]
        assert position > last.get((event.type, event.partitionkey), 0), f"{id_} came late"
        last[event.type, event.partitionkey] = position
