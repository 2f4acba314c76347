"""The whole sink is unavailable: it is probed with one event, then with one of another subject, ever more rarely."""

from collections.abc import Awaitable, Callable

from router.dispatch.backoff import delay
from router.dispatch.breaker import Breaker
from router.dispatch.entry import Entry
from router.dispatch.judge import Judge
from router.dispatch.parking import Parking
from router.dispatch.parts import Parts
from router.dispatch.queue import Queue
from router.dispatch.source import Source
from sinks.contract import Retry, Unavailable

PROBE_MAX_SECONDS = 30.0

Probe = Callable[[Entry], Awaitable[Unavailable | None]]
"""Deliver it alone. None when the sink is there: it took the event, or refused this one for good."""


class Outage:
    """When to probe next, with what, and what follows. probes: failed ones in a row."""

    def __init__(self, source: Source, queue: Queue, parking: Parking, judge: Judge, parts: Parts) -> None:
        self.probes = 0
        self._until = 0.0
        self._source = source
        self._queue = queue
        self._parking = parking
        self._judge = judge
        self._breaker: Breaker = judge.breaker
        self._clock, self._jitter = parts.clock, parts.jitter
        self._suspects: set[Entry] = set()
        self._fresh = 0
        self._hurried = False

    def wait(self, probes: int, after: float = 0.0) -> float:
        """After so many failed probes: the seconds until the next one, `after` at least."""
        self.probes = probes
        pause = max(after, delay(probes, 0.5, PROBE_MAX_SECONDS, random=lambda: 0.5 + self._jitter() / 2))
        if self._hurried:  # since the one that failed began
            self.probes, pause, self._hurried = 0, 0.0, False
        self._until = self._clock.monotonic() + pause
        return pause

    def hurry(self) -> None:
        """The next probe is due now, and the one after it soon."""
        self._hurried = True
        self.probes = 0
        self._until = self._clock.monotonic()

    def prolong(self, after: float) -> None:
        """Whoever ended late asked for that many seconds from now."""
        self._until = max(self._until, self._clock.monotonic() + after)

    @property
    def left(self) -> float:
        """Seconds until the next probe."""
        return max(0.0, self._until - self._clock.monotonic())

    def over(self) -> None:
        """The sink is there again."""
        self._suspects.clear()
        if self._breaker.open:
            self._breaker.reset()
            self._judge.misses = 0

    async def probe(self, probe: Probe) -> Unavailable | None:
        """Try the sink; why it is still unavailable, or None."""
        self._hurried = False
        await self._read_for_probe()
        first = await self._first()
        why = await probe(first) if first is not None else None
        if first is None or why is None:
            return None
        other = await self._other(first)
        second = await probe(other) if other is not None else why
        if second is not None:
            self._suspects.update(entry for entry in (first, other) if entry is not None)
            return max(why, second, key=lambda one: one.after or 0.0)
        if self._queue.remove(first):  # it is this event, not the sink
            self._judge.fail(first, Retry(why.reason, why.detail, why.after))
        return None

    async def _read_for_probe(self) -> None:
        """A probe wants two subjects that have not been tried: while there is but one, read on, past its followers."""
        if len({entry.key or entry for entry in self._queue} - {entry.key or entry for entry in self._suspects}) < 2:
            if self._parking.holds:
                self._queue.sift(self._parking.divert)
            await self._source.read()

    async def _first(self) -> Entry | None:
        if self._breaker.open:
            await self._parking.load_earliest(self._queue)
        batch = self._source.take(1)
        return batch[0] if batch else None

    async def _other(self, first: Entry) -> Entry | None:
        """Of another subject, and none that was tried in this round; when all have been, the next round begins.

        A sink that fails everything one by one is probed with what has failed already, or each probe would park one more.
        But each round begins with one that never failed, or a sink would be given up for a few events that always fail.
        """
        other = self._untried({first, *self._suspects})
        if other is None:  # what is parked may tell
            await self._parking.load_earliest(self._queue)
            await self._parking.load_scopes(self._queue)
            other = self._untried({first, *self._suspects})
        if other is None:
            self._suspects.clear()
            other = self._next_fresh(first) if self._breaker.open else None
        return self._untried({first}) if other is None else other

    def _next_fresh(self, first: Entry) -> Entry | None:
        """One that never failed: each gets its turn, as the one in front may be sick too."""
        passed = {entry for entry in self._queue if entry.position <= self._fresh}
        other = self._take_other({first, *passed}, parked=False) or self._take_other({first}, parked=False)
        self._fresh = 0 if other is None else other.position
        return other

    def _untried(self, tried: set[Entry]) -> Entry | None:
        return self._take_other(tried, parked=True if self._breaker.open else None)

    def _take_other(self, tried: set[Entry], *, parked: bool | None) -> Entry | None:
        while (other := self._queue.take_other(tried, parked=parked)) is not None:
            if not (self._parking.holds and self._parking.divert(other)):
                return other
        return None
