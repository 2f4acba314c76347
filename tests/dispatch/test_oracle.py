"""Random sinks, random faults, restarts: whatever happens, each wanted event is delivered or dead, once, in order."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from router.envelope import Envelope
from router.journal.contract import Record
from sinks.contract import DELIVERED, Outcome, Rejected, Retry, Unavailable
from tests.dispatch.lanes import make_lane, running
from tests.doubles.events import envelope
from tests.doubles.journal import MemoryJournal
from tests.doubles.scripted import ScriptedSink
from tests.doubles.virtual import run_virtual

EVENTS = 300
RUNS = 150


@dataclass
class World:
    """What goes wrong, and when; drawn from one seed."""

    rng: random.Random
    poison: dict[str, Outcome] = field(default_factory=dict)
    flaky: float = 0.0
    outages: list[tuple[float, float]] = field(default_factory=list)
    scope_outages: dict[str, tuple[float, float]] = field(default_factory=dict)
    raises: float = 0.0

    @classmethod
    def draw(cls, seed: int) -> "World":
        rng = random.Random(seed)
        kinds: list[Outcome] = [Retry("http_500"), Rejected("http_400"), Unavailable("http_503")]
        return cls(
            rng,
            {f"e{rng.randrange(EVENTS)}": rng.choice(kinds) for _ in range(rng.choice([0, 0, 1, 3]))},
            rng.choice([0, 0, 0.05, 0.3]),
            [_span(rng) for _ in range(rng.choice([0, 1, 2]))],
            {f"t{n}": _span(rng) for n in range(rng.choice([0, 0, 1, 2]))},
            rng.choice([0, 0, 0, 0.02]),
        )

    def answer(self, event: Envelope) -> Outcome:
        now = asyncio.get_running_loop().time()
        if any(start <= now < end for start, end in self.outages):
            return Retry("http_500") if self.rng.random() < 1 / 3 else Unavailable("down")
        start, end = self.scope_outages.get(scope(event), (0.0, 0.0))
        if start <= now < end:
            return Unavailable("not_authorised", scope=scope(event))
        if event.id in self.poison:
            return self.poison[event.id]
        if self.rng.random() < self.raises:
            raise RuntimeError("bug")
        return Retry("timeout") if self.rng.random() < self.flaky else DELIVERED


def _span(rng: random.Random) -> tuple[float, float]:
    start = rng.uniform(0, 400)
    return start, start + rng.uniform(1, 300)


def scope(event: Envelope) -> str:
    return event.type


@pytest.mark.parametrize("seed", range(RUNS))
def test_everything_ends_once_and_in_order(seed: int) -> None:
    run_virtual(_run(seed))


async def _run(seed: int) -> None:
    rng = random.Random(seed + 10_000)
    world = World.draw(seed)
    journal = MemoryJournal()
    ordering = rng.choice(["key", "key", "source", "none"])
    sink = ScriptedSink(
        world.answer,
        max_events=rng.choice([1, 3, 50]),
        concurrency=rng.choice([1, 1, 4]),
        keeps_order=rng.random() < 0.5,
        seconds=lambda: rng.uniform(0.001, 0.5),
        scope=scope,
        ordering=ordering,
    )
    settings: dict[str, object] = {"ordering": ordering, "retry": {"max_attempts": 4, "max_seconds": 20}}
    restarts = await _push(rng, journal, sink, settings, seed)
    await _settle(journal, sink, settings, seed)
    _check(journal, sink, ordering, restarts, world)


async def _push(
    rng: random.Random, journal: MemoryJournal, sink: ScriptedSink, settings: dict[str, object], seed: int
) -> int:
    pushed = restarts = 0
    while pushed < EVENTS:
        async with running(make_lane(sink, journal, seed, **settings)):
            for _ in range(rng.randrange(EVENTS)):
                if pushed < EVENTS:
                    _ = journal.append(envelope(pushed, f"s{rng.randrange(6)}", f"t{rng.randrange(3)}"))
                    pushed += 1
                if rng.random() < 0.3:
                    await asyncio.sleep(rng.uniform(0, 10))
        restarts += 1
    return restarts - 1


async def _settle(journal: MemoryJournal, sink: ScriptedSink, settings: dict[str, object], seed: int) -> None:
    """Others keep coming, so that attempts count; then everything must have ended."""
    async with running(make_lane(sink, journal, seed, **settings)) as lane:
        for n in range(400):
            _ = journal.append(envelope(EVENTS + n, "later", "later"))
            await asyncio.sleep(5)
        await asyncio.sleep(3600)
        await lane.drain()
        reading = lane.reading()
    assert (reading.lag_events, reading.parked) == (0, 0), reading


def _check(journal: MemoryJournal, sink: ScriptedSink, ordering: str, restarts: int, world: World) -> None:
    everything = {record.envelope.id: record for record in journal.records}
    dead = Counter(letter.event_id for letter in journal.dead)
    delivered = Counter(sink.delivered)
    assert set(delivered) | set(dead) == set(everything), "an event vanished"
    assert max(dead.values(), default=1) == 1
    if not restarts:
        assert max(delivered.values()) == 1, "a copy without a crash"
        assert not set(dead) & set(delivered)
    if not world.flaky and not world.raises:
        assert set(dead) <= set(world.poison), "an outage made dead letters"
    _check_order(everything, sink, ordering)


def _check_order(everything: Mapping[str, Record], sink: ScriptedSink, ordering: str) -> None:
    if ordering == "none":
        return
    first_seen = list(dict.fromkeys(sink.delivered))
    last: dict[tuple[str, ...], int] = {}
    positions = {id_: at for at, id_ in enumerate(everything)}
    for id_ in first_seen:
        event = everything[id_].envelope
        key = (event.type, event.source) if ordering == "source" else (event.type, event.partitionkey)
        assert positions[id_] > last.get(key, -1), f"{id_} came late"
        last[key] = positions[id_]
