"""What the lanes of one sink share: the sink itself, whose turn it is, and whether it may be given anything now."""

import asyncio
from collections.abc import Callable, Sequence
from traceback import extract_tb

from router.dispatch.entry import Entry
from router.dispatch.parts import Parts
from router.dispatch.rate import Rate
from router.dispatch.routes import Routes
from router.envelope import Envelope
from router.telemetry import facts
from sinks.contract import Outcome, Retry, Sink, SinkNotReadyError, Unavailable
from sinks.settings import SinkSettings


class Outlet:
    """One configured sink. Its live lane opens it; replays of history share it and stand back.

    letters_of: the sinks that send copies of their dead letters here.
    """

    def __init__(
        self, name: str, sink: Sink, settings: SinkSettings, parts: Parts, letters_of: frozenset[str] = frozenset()
    ) -> None:
        self.name = name
        self.sink = sink
        self.settings = settings
        self.routes = Routes(settings, letters_of)
        self.rate = Rate(settings.rate, parts.clock.monotonic)
        self.paused = False
        self.draining = False
        self.opened = asyncio.Event()
        self.busy = 0
        self._replays_busy = 0
        self._live_waits = False
        self._next: Sink | None = None
        self._wakes: list[Callable[[], None]] = []
        self._hurries: list[Callable[[], None]] = []
        self._telemetry = parts.telemetry
        self._timeout = parts.dispatch.deliver_timeout_seconds

    # Turns

    def join(self, wake: Callable[[], None], hurry: Callable[[], None]) -> None:
        """Have a lane woken when something changes here, and hurried when its next probe needn't wait any longer."""
        self._wakes.append(wake)
        self._hurries.append(hurry)

    def leave(self, wake: Callable[[], None], hurry: Callable[[], None]) -> None:
        """The lane ended."""
        self._wakes.remove(wake)
        self._hurries.remove(hurry)

    def wake(self) -> None:
        """Something changed: every lane looks what it can do."""
        for wake in self._wakes:
            wake()

    def hurry(self) -> None:
        """The sink says that it takes more than before, or is there again: it is tried now, not when its probe is due."""
        for hurry in self._hurries:
            hurry()
        self.wake()

    def free(self, *, replay: bool) -> bool:
        """Whether one more delivery may begin. Replays have half of the turns, one at least, and none while the live lane
        waits for its own."""
        if not self.opened.is_set() or self.paused or self._next is not None:
            return False
        if replay:
            return (
                not self.draining
                and self.busy < self.sink.concurrency
                and self._replays_busy < max(1, self.sink.concurrency // 2)
                and not self._live_waits
            )
        self._live_waits = self.busy >= self.sink.concurrency
        return not self._live_waits

    def begin(self, *, replay: bool) -> None:
        """A delivery begins; `end` must follow."""
        self.busy += 1
        self._replays_busy += replay

    def end(self, *, replay: bool) -> None:
        """It ended."""
        self.busy -= 1
        self._replays_busy -= replay
        if len(self._wakes) > 1 or self._next is not None:
            self.wake()

    def yields(self) -> None:
        """The live lane has nothing to deliver now."""
        if self._live_waits:
            self._live_waits = False
            self.wake()

    # The sink

    async def open(self) -> str:
        """Connect; why it could not be done, "" when it is."""
        try:
            async with asyncio.timeout(self._timeout):
                await self.sink.open()
        except SinkNotReadyError as error:
            return str(error) or "not ready"
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and _cancelled():
                raise
            return f"open() raised {type(error).__name__}"
        self.opened.set()
        self.wake()
        return ""

    def replace(self, sink: Sink) -> None:
        """Go on with another sink of the same kind, as soon as what is under way has ended."""
        self._next = sink
        self.wake()

    @property
    def replaced(self) -> bool:
        """Whether the other sink can take over now."""
        return self._next is not None and not self.busy

    async def change(self) -> None:
        """Close the old sink; the other one is to be opened then."""
        old, self.sink, self._next = self.sink, self._next or self.sink, None
        self.opened.clear()
        try:
            async with asyncio.timeout(self._timeout):
                await old.close()
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and _cancelled():
                raise
            self._telemetry.emit(facts.CLEANUP_FAILED, part=f"sink {self.name}", error=_named(error))

    async def close(self) -> None:
        """Close the sink, and the one that was to come."""
        sinks = [self.sink, *([self._next] if self._next is not None else [])]
        self._next = None
        for sink in sinks:
            await sink.close()

    def scope(self, envelope: Envelope) -> str:
        """See `Sink.scope`."""
        try:
            return self.sink.scope(envelope)
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything, and must end no other lane by it
            self._telemetry.emit(facts.SINK_BUG, sink=self.name, problem=f"scope(): {_named(error)}", events=1)
            return ""

    async def outcomes(self, batch: Sequence[Entry]) -> Sequence[Outcome]:
        """Deliver; an outcome for each, or none at all when the sink misbehaved and each is to go alone."""
        envelopes = [entry.envelope for entry in batch]
        limit = asyncio.timeout(self._timeout)
        try:
            async with limit:
                outcomes = await self.sink.deliver(envelopes)
            if len(outcomes) == len(batch):
                return outcomes
            problem = f"{len(outcomes)} outcomes for {len(batch)} events"
        except asyncio.CancelledError as error:
            if _cancelled():
                raise
            problem = _named(error)
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
            if limit.expired():
                hung = Unavailable("timeout", f"deliver() took more than {self._timeout:g} s")
                return [hung] * len(batch)
            problem = _named(error)
        self._telemetry.emit(facts.SINK_BUG, sink=self.name, problem=problem, events=len(batch))
        if len(batch) == 1:
            return [Retry("raised", problem)]
        for entry in batch:
            entry.alone = True
        return []


def _cancelled() -> bool:
    """Whether somebody cancels the lane; else a CancelledError is the sink's own."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _named(error: BaseException) -> str:
    """What a plug-in raised, and where. Its text might hold a secret."""
    frames = extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
