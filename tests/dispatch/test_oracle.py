"""Random sinks, random faults, restarts: whatever happens, each wanted event is delivered or dead, once, in order."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Mapping

import pytest

from router.envelope import Envelope
from router.settings.model import DispatchSettings
from sinks.contract import order_key
from tests.dispatch.lanes import make_lane, running
from tests.dispatch.worlds import World, WorldSink, scope
from tests.doubles.events import envelope
from tests.doubles.journal import MemoryJournal
from tests.doubles.virtual import run_virtual

EVENTS = 300
FIRST = int(os.environ.get("ORACLE_FIRST", "0"))
RUNS = int(os.environ.get("ORACLE_RUNS", "120"))
"""By hand: ORACLE_RUNS=5000 pytest tests/dispatch/test_oracle.py"""


@pytest.mark.parametrize("seed", range(FIRST, FIRST + RUNS))
def test_everything_ends_once_and_in_order(seed: int) -> None:
    run_virtual(Run(seed).all())


class Run:
    """One seed: a world, a sink in it, a lane over it that is started again and again."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = rng = random.Random(seed + 10_000)
        self.ordering = rng.choice(["key", "key", "source", "none"])
        self.world = World(seed, EVENTS, one_key=self.ordering == "source")
        sparse = rng.random() < 0.3
        self.journal = MemoryJournal(lambda: rng.choice([1, 1, 2, 50]) if sparse else 1)
        self.subjects = rng.choice([1, 6, 6, 200])
        self.sink = WorldSink(self.world, rng, self.ordering)
        self.max_age = rng.choice([86400, 86400, 60])
        self.settings = {
            "ordering": self.ordering,
            "events": rng.choice([["*"], ["*"], ["!unwanted"]]),
            "retry": {"max_attempts": 4, "max_seconds": 20, "max_age_seconds": self.max_age},
        }
        self.dispatch = DispatchSettings(
            deliver_timeout_seconds=30, window_events=rng.choice([4000, 4000, 10, 30]), window_bytes=1 << 16
        )

    async def all(self) -> None:
        restarts = await self.push()
        await self.settle()
        self.check(restarts)

    async def push(self) -> int:
        rng, pushed, restarts = self.rng, 0, 0
        while pushed < EVENTS:
            self.sink.refuse_open = rng.choice([0, 0, 0, 2])
            async with running(make_lane(self.sink, self.journal, self.seed, self.dispatch, **self.settings)):
                for _ in range(rng.randrange(EVENTS)):
                    if pushed < EVENTS:
                        type_ = rng.choice(["t0", "t1", "t2", "unwanted"])
                        _ = self.journal.append(envelope(pushed, f"s{rng.randrange(self.subjects)}", type_))
                        pushed += 1
                    if rng.random() < 0.3:
                        await asyncio.sleep(rng.uniform(0, 10))
            restarts += 1
        return restarts - 1

    async def settle(self) -> None:
        """Others keep coming, so that attempts count; then everything must have ended."""
        async with running(make_lane(self.sink, self.journal, self.seed, self.dispatch, **self.settings)) as lane:
            for n in range(400):
                _ = self.journal.append(envelope(EVENTS + n, "later", ["t0", "t1", "t2", "unwanted", "later"][n % 5]))
                await asyncio.sleep(5)
            await asyncio.sleep(3600)
            async with asyncio.timeout(60):
                await lane.drain()
            reading = lane.reading()
        assert (reading.lag_events, reading.parked, reading.in_flight) == (0, 0, 0), reading
        assert not self.journal.parked.get("s")
        assert self.journal.cursors["s"] == (self.journal.head, [])

    def check(self, restarts: int) -> None:
        wanted = {
            record.envelope.id: record.envelope
            for record in self.journal.records
            if record.envelope.type != "unwanted" or self.settings["events"] == ["*"]
        }
        dead = Counter(letter.event_id for letter in self.journal.dead)
        delivered = Counter(self.sink.delivered)
        assert set(delivered) | set(dead) == set(wanted), "an event vanished, or came unwanted"
        assert max(dead.values(), default=1) == 1
        if not restarts and not self.world.loses_answers:
            assert max(delivered.values()) == 1, "a copy without a crash"
            assert not set(dead) & set(delivered)
        if not self.world.blames_the_innocent and self.max_age > 60:
            assert set(dead) <= set(self.world.poison), "an outage made dead letters"
        self.check_letters()
        self.check_order(wanted)

    def check_letters(self) -> None:
        for letter in self.journal.dead:
            assert 1 <= letter.attempts <= 4
            assert 0 < letter.first_failed_ms <= letter.last_failed_ms <= letter.dead_ms
            assert letter.attempts <= self.sink.failures[letter.event_id]

    def check_order(self, wanted: Mapping[str, Envelope]) -> None:
        if self.ordering == "none":
            return
        last: dict[tuple[str, str | None], int] = {}
        positions = {id_: at for at, id_ in enumerate(wanted)}
        for id_ in dict.fromkeys(self.sink.delivered):
            event = wanted[id_]
            key = (scope(event), order_key(self.ordering, event))
            assert positions[id_] > last.get(key, -1), f"{id_} came late"
            last[key] = positions[id_]
