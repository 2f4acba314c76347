"""What goes wrong around a lane, drawn from one seed: outages, poisoned events, and sinks that misbehave."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

from router.envelope import Envelope
from sinks.contract import DELIVERED, Outcome, Rejected, Retry, Unavailable
from tests.doubles.scripted import ScriptedSink

Span = tuple[float, float]


def scope(event: Envelope) -> str:
    return event.type


class World:
    """poison: events that never get through; the rest says how often, or when, others don't."""

    def __init__(self, seed: int, events: int, *, one_key: bool = False) -> None:
        self.rng = rng = random.Random(seed)
        kinds: list[Outcome | None] = [
            Retry("http_500"),
            Retry("http_429", after=7),
            Rejected("http_400"),
            Unavailable("http_503"),
            None,  # Unavailable, its scope: only another subject of the scope can tell it from an outage
        ]
        if one_key:
            kinds.pop()
        self.poison: dict[str, Outcome | None] = {
            f"e{rng.randrange(events)}": rng.choice(kinds) for _ in range(rng.choice([0, 0, 1, 3]))
        }
        self.flaky = rng.choice([0, 0, 0.05, 0.3])
        self.raises = rng.choice([0, 0, 0, 0.02])
        self.leaks = rng.choice([0, 0, 0, 0.02])
        self.miscounts = rng.choice([0, 0, 0, 0.02])
        self.hangs = rng.choice([0, 0, 0, 0.01])
        self.outages = _spans(rng, rng.choice([0, 1, 2]))
        self.scope_outages = {f"t{n}": _spans(rng, rng.choice([1, 3, 30])) for n in range(rng.choice([0, 0, 1, 2]))}

    @property
    def loses_answers(self) -> bool:
        """A sink that took events and said something else of them."""
        return bool(self.miscounts)

    @property
    def blames_the_innocent(self) -> bool:
        """Whether an event may fail by itself so often that it is dead, though nothing is wrong with it."""
        flaps = any(len(spans) > 3 for spans in self.scope_outages.values())
        return bool(self.flaky or self.raises or self.leaks or self.miscounts or self.hangs or flaps)

    def answer(self, event: Envelope) -> Outcome:
        now = asyncio.get_running_loop().time()
        if _in(self.outages, now):
            return Retry("http_500") if self.rng.random() < 0.3 else Unavailable("down")
        if _in(self.scope_outages.get(scope(event), []), now):
            return Unavailable("not_authorised", scope=scope(event))
        if event.id in self.poison:
            return self.poison[event.id] or Unavailable("not_authorised", scope=scope(event))
        if self.rng.random() < self.raises:
            raise RuntimeError("bug")
        return Retry("timeout") if self.rng.random() < self.flaky else DELIVERED


class WorldSink(ScriptedSink):
    """A sink in such a world. failures: how often each event was tried and failed."""

    def __init__(self, world: World, rng: random.Random, ordering: str) -> None:
        super().__init__(
            self._counted,
            max_events=rng.choice([1, 3, 50]),
            concurrency=rng.choice([1, 1, 4]),
            keeps_order=rng.random() < 0.5,
            seconds=lambda: rng.uniform(0.001, 0.5),
            scope=scope,
            ordering=ordering,
        )
        self.world = world
        self.failures = Counter[str]()

    def _counted(self, event: Envelope) -> Outcome:
        self.failures[event.id] += 1
        return self.world.answer(event)

    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        world, dice = self.world, self.world.rng.random
        if dice() < world.hangs:
            self.failures.update(event.id for event in batch)
            await asyncio.sleep(1e6)
        if dice() < world.leaks:
            self.failures.update(event.id for event in batch)
            raise self.world.rng.choice([asyncio.CancelledError, TimeoutError])
        outcomes = await super().deliver(batch)
        if dice() < world.miscounts:
            self.failures.update(event.id for event in batch)
            return [*outcomes, DELIVERED]
        return outcomes


def _spans(rng: random.Random, count: int) -> list[Span]:
    longest = 300 / max(1, count / 2)
    starts = [rng.uniform(0, 400) for _ in range(count)]
    return [(start, start + rng.uniform(1, longest)) for start in starts]


def _in(spans: Sequence[Span], now: float) -> bool:
    return any(start <= now < end for start, end in spans)
