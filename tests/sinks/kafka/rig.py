"""A lane into a real Kafka and one into files, over a real journal, with events coming in all the time.

What must hold whatever happens to the brokers is checked at the end, by `Rig.verify`.
"""

import asyncio
import contextlib
import itertools
import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from aiokafka.partitioner import murmur2

from router.clock import SystemClock
from router.dispatch.lane import Lane
from router.dispatch.outlet import Outlet
from router.dispatch.parts import Parts
from router.envelope import Envelope
from router.journal.contract import DeadLetter, LetterFilter
from router.journal.sqlite import SqliteJournal
from router.settings.model import DispatchSettings, JournalSettings
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger
from sinks.contract import Delivered, Outcome, Sink, Unavailable
from sinks.file import SINK as FILE
from sinks.file.settings import FileSettings
from sinks.kafka import SINK as KAFKA
from sinks.settings import SinkSettings
from tests.doubles.events import envelope
from tests.doubles.noise import Noise
from tests.doubles.waiting import until
from tests.flow.targets import by_subject, check, in_files, in_kafka
from tests.sinks.kafka.report import Row, write
from tests.sinks.kafka.support import fresh, ids, read, settings

SUBJECTS = 24
PAUSE_SECONDS = 0.02
PATIENCE_SECONDS = 90.0


class Watched:
    """A sink, and what it said: when it first called an event delivered, and how often it held one, by reason."""

    def __init__(self, sink: Sink) -> None:
        self.max_events, self.max_bytes = sink.max_events, sink.max_bytes
        self.concurrency, self.keeps_order = sink.concurrency, sink.keeps_order
        self.open, self.close, self.scope = sink.open, sink.close, sink.scope
        self.delivered: dict[str, float] = {}
        self.held = Counter[tuple[str, str]]()
        self.details: dict[str, str] = {}
        self.sink: Any = sink

    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        outcomes: Sequence[Outcome] = await self.sink.deliver(batch)
        now = time.monotonic()
        for event, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Delivered):
                self.delivered.setdefault(event.id, now)
            elif isinstance(outcome, Unavailable):
                self.held[outcome.reason, outcome.scope] += 1
                self.details[outcome.reason] = outcome.detail
        return outcomes


class Rig:
    """Three topics, one for each of `types`. `flowing`: whether events come in now."""

    def __init__(self, folder: Path, journal: SqliteJournal, parts: Parts) -> None:
        self.types = [fresh() for _ in range(3)]
        self.flowing = asyncio.Event()
        self.events: list[Envelope] = []
        self.appended: list[float] = []
        self.bus: Watched
        self.archive: Watched
        self.bus_lane: Lane
        self.archive_lane: Lane
        self.journal = journal
        self.seed = random.randrange(1 << 30)
        self._rng = random.Random(self.seed)
        self._folder = folder
        self._parts = parts
        self._numbers = itertools.count()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._begun = 0
        self._noise = Noise(folder / "noise")

    @property
    def topics(self) -> list[str]:
        return [f"feishu.{type_}" for type_ in self.types]

    # Life

    async def start(self, servers: str, **more: Any) -> None:
        """Both lanes, and the events."""
        print(f"SEED={self.seed}")
        path = f"{self._folder}/archive/{{event_type}}.jsonl"
        files = FileSettings.model_validate({"type": "file", "path": path})
        self.archive = Watched(FILE.build("archive", files))
        self.archive_lane = await self._run("archive", self.archive, files)
        self.bus, chosen = self._sink(servers, **more)
        self.bus_lane = await self._run("bus", self.bus, chosen)
        self.flowing.set()
        self._tasks["feed"] = asyncio.create_task(self._feed())

    def replace(self, servers: str, **more: Any) -> None:
        """Have the lane go on with a new sink, as when a password or a certificate was renewed."""
        delivered = self.bus.delivered
        self.bus, _ = self._sink(servers, **more)
        self.bus.delivered = delivered
        self.bus_lane.outlet.replace(self.bus)

    def _sink(self, servers: str, **more: Any) -> tuple[Watched, SinkSettings]:
        quick = {"request_timeout_seconds": 2, "deliver_timeout_seconds": 4, "retry": {"max_seconds": 2}}
        chosen = settings(servers, **{**quick, **more})
        return Watched(KAFKA.build("bus", chosen)), chosen

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for lane in (self.bus_lane, self.archive_lane):
            await lane.outlet.close()
        self._noise.ended.set()

    def under_way(self) -> int:
        """Events that were sent to Kafka and have no answer."""
        delivery = self.bus.sink._delivery
        batches = [channel._open for channel in delivery._channels.values()] if delivery is not None else []
        return sum(len(batch.items) for batch in batches if batch is not None)

    async def _run(self, name: str, sink: Watched, chosen: SinkSettings) -> Lane:
        lane = Lane(Outlet(name, sink, chosen, self._parts), self._parts)
        await lane.register()
        self._tasks[name] = asyncio.create_task(lane.run())
        return lane

    # Events

    async def push(self, type_: str, subject: str, size: int = 200) -> Envelope:
        """One event more."""
        event = envelope(next(self._numbers), subject, type_, size)
        stored = self.journal.append(event)
        self.events.append(event)
        self.appended.append(time.monotonic())
        await stored
        return event

    async def _feed(self) -> None:
        while True:
            await self.flowing.wait()
            for _ in range(2):
                await self.push(self._rng.choice(self.types), f"s{self._rng.randrange(SUBJECTS)}")
            await asyncio.sleep(PAUSE_SECONDS)

    # Waiting

    async def until(self, fact: Callable[[], bool], patience: float = PATIENCE_SECONDS) -> None:
        """Return once the fact holds. Fails with what the lane does, and when a lane has died."""
        try:
            await until(lambda: self._alive() and fact(), patience)
        except TimeoutError:
            raise AssertionError(f"{self.bus_lane.reading()}, held {dict(self.bus.held)} {self.bus.details}") from None

    def _alive(self) -> bool:
        for task in self._tasks.values():
            if task.done():
                task.result()
        return True

    async def flow(self, count: int) -> None:
        """Until that many events more are appended."""
        wanted = len(self.events) + count
        await self.until(lambda: len(self.events) >= wanted)

    async def steady(self, count: int = 100) -> None:
        """Until that many events more are delivered. What an event waited for is measured from here on."""
        await self.flow(count)
        await self.caught_up(0)
        self._begun = len(self.events)

    async def caught_up(self, count: int = 80) -> float:
        """Until all that was appended is in Kafka or dead, `count` events more included. The seconds it took."""
        begun = time.monotonic()
        await self.flow(count)
        wanted = {event.id for event in self.events}
        while missing := wanted - self.bus.delivered.keys() - {each.event_id for each in await self._dead()}:
            await self.until(lambda: self._alive() and not missing.isdisjoint(self.bus.delivered), PATIENCE_SECONDS)
        return time.monotonic() - begun

    async def held_back(self, topic: str | None = None) -> None:
        """Until the sink holds that topic, or anything at all; anew if it did before."""
        before = self._held(topic)
        await self.until(lambda: self._held(topic) > before)

    def _held(self, topic: str | None) -> int:
        return sum(count for (_, scope), count in self.bus.held.items() if topic in (None, scope))

    def delivered_of(self, topic: int) -> int:
        """How many events of that topic the sink called delivered."""
        return sum(event.id in self.bus.delivered for event in self.events if event.type == self.types[topic])

    async def lost_with(self, topic: int, bootstrap: str) -> set[str]:
        """What a deleted topic took with it: of each partition, what was acknowledged before all that is in the new one."""
        found = set(ids(await read(bootstrap, self.topics[topic], 1)))
        parts: dict[int, tuple[list[str], list[str]]] = {}
        for event in self.events:
            if event.type == self.types[topic] and event.id in self.bus.delivered:
                part = parts.setdefault((murmur2(event.partitionkey.encode()) & 0x7FFFFFFF) % 3, ([], []))
                part[event.id in found].append(event.id)
        return {
            id_
            for missing, there in parts.values()
            for id_ in missing
            if self.bus.delivered[id_] <= min((self.bus.delivered[each] for each in there), default=math.inf)
        }

    async def _dead(self) -> Sequence[DeadLetter]:
        return await self.journal.dead_letters(LetterFilter(lanes=("bus",)), limit=1000)

    # Checks

    async def end(self) -> None:
        """No more events; all that is there is settled, and nothing is parked."""
        self.flowing.clear()
        lanes = (self.bus_lane, self.archive_lane)
        await self.until(lambda: all(not lane.reading().lag_events and not lane.reading().parked for lane in lanes))

    async def verify(self, case: str, bootstrap: str, seconds: float, **allowed: Any) -> Row:
        """Nothing lost, nothing invented, each key in order, copies at most `copies`, dead letters exactly `dead`.

        gone: events whose topic somebody deleted with them in it. Order: of each key in each topic, the first
        occurrences are in the order of the journal. Writes the report's row.
        """
        copies, dead, gone = allowed.get("copies", 0), allowed.get("dead", 0), allowed.get("gone", set())
        letters = {letter.event_id for letter in await self._dead()}
        order = {event.id: at for at, event in enumerate(self.events)}
        everything = set(order)
        arrived = by_subject(await in_kafka(bootstrap, self.topics), apart=True)
        row = Row(
            case,
            events=len(everything),
            seconds=seconds,
            worst_seconds=max(self._delays(self.bus)),
            copies=check(arrived, everything - letters - gone, everything, order),
            dead=len(letters),
            other_worst_seconds=max(self._delays(self.archive)),
        )
        write(row)
        assert row.copies <= copies, f"{row.copies} copies; {copies} may be"
        assert row.dead == dead, f"{row.dead} dead letters instead of {dead}"
        in_archive = by_subject(in_files(self._folder / "archive"), apart=True)
        assert check(in_archive, everything, everything, order) == 0
        assert row.other_worst_seconds < 1.5 + 3 * self._noise.worst, "the file sink was slowed"
        return row

    def _delays(self, sink: Watched) -> list[float]:
        measured = zip(self.events[self._begun :], self.appended[self._begun :], strict=True)
        times = ((sink.delivered.get(event.id), at) for event, at in measured)
        return [delivered - at for delivered, at in times if delivered is not None]


@contextlib.asynccontextmanager
async def rig(folder: Path, servers: str, **more: Any) -> AsyncIterator[Rig]:
    """A running rig; closed at the end."""
    telemetry = Telemetry(make_logger("error", "json"))
    clock = SystemClock()
    journal = SqliteJournal(folder / "journal.db", JournalSettings(), telemetry, clock)
    await journal.open()
    made = Rig(folder, journal, Parts(journal, DispatchSettings(), telemetry, clock))
    try:
        await made.start(servers, **more)
        yield made
    finally:
        await made.close()
        await journal.close()
