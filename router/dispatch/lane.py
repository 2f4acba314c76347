"""A lane brings the journal's events to one sink: it delivers in batches, holds what must wait, and settles what ended."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from router.dispatch.breaker import Breaker
from router.dispatch.entry import Entry, scoped_key
from router.dispatch.errand import Errand
from router.dispatch.judge import Judge
from router.dispatch.ledger import Ledger
from router.dispatch.outage import Outage
from router.dispatch.outlet import Outlet
from router.dispatch.pace import Pace
from router.dispatch.parking import Parking
from router.dispatch.parts import Parts
from router.dispatch.queue import Queue
from router.dispatch.source import Source
from router.envelope import Envelope
from router.journal.contract import DeadLetter, Parked
from router.telemetry import facts
from sinks.contract import Delivered, Outcome, Rejected, Unavailable

REPLAY_EVENTS = 100
"""What a replay delivers at once, at most: the live lane may have to wait for it."""

State = Literal["opening", "running", "unavailable", "stopped"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a lane shows of itself. state: as the lane's, or paused; lag_seconds: age of the oldest unsettled event;
    reason: why it is unavailable, "" when it isn't."""

    state: str
    lag_events: int
    lag_seconds: float
    parked: int
    in_flight: int
    scopes_unavailable: int
    position: int
    delivered: int
    breaker: str
    reason: str


class Lane:
    """Drives one sink; with an errand beside its live lane. `run` ends when it is cancelled, when the journal fails, or
    when the errand is done."""

    def __init__(self, outlet: Outlet, parts: Parts, errand: Errand | None = None) -> None:
        sink, settings = outlet.sink, outlet.settings
        self.name = outlet.name if errand is None else errand.lane
        self.outlet = outlet
        self.state: State = "opening"
        self._errand = errand
        self._replay = errand is not None
        self._journal, self._limits, self._telemetry, self._clock, self._jitter = parts
        self._queue = Queue(within_batch=sink.keeps_order, single=sink.concurrency == 1)
        self._ledger = Ledger(self.name, self._journal, self._uncopied)
        mark, delivered = (errand.mark, facts.REPLAYED) if errand is not None else (None, facts.DELIVERED)
        self._parking = Parking(self.name, outlet.scope, self._journal, self._ledger, self._clock, mark)
        self._breaker = Breaker(settings.breaker, self._clock.monotonic)
        self._judge = Judge(outlet, self._breaker, self._ledger, self._parking, parts, delivered)
        self._source = Source(outlet, errand, self._queue, self._ledger, self._parking, parts)
        self._outage = Outage(self._source, self._queue, self._parking, self._judge, parts)
        self._running: set[asyncio.Task[None]] = set()
        self._crash: BaseException | None = None
        self._wake = asyncio.Event()
        self._quiet = asyncio.Event()
        self._pace = Pace(sink.max_events, self._clock.monotonic)
        self._paced = False
        self._rated = False
        self._reason = ""

    # What operators see

    def reading(self) -> Reading:
        """The lane's state and lag now."""
        window = self._ledger.window
        oldest = window.oldest
        return Reading(
            "paused" if self.outlet.paused and self.state != "stopped" else self.state,
            max(0, self._source.end - window.cursor) + len(window),
            max(0.0, self._clock.wall() - datetime.fromisoformat(oldest).timestamp()) if oldest else 0.0,
            self._parking.holds.parked,
            len(self._running),
            len(self._parking.holds.scopes),
            window.position,
            self._judge.delivered,
            "closed" if not self._breaker.open else "half_open" if self._running else "open",
            self._reason,
        )

    @property
    def idle(self) -> bool:
        """Nothing more can be delivered now: all read and ended but for what is parked, or the sink takes nothing."""
        if self.state != "running" or self.outlet.paused or (self._replay and self.outlet.draining):
            return not self._running
        all_read = self._source.all_read or self._parking.full
        return all_read and not len(self._ledger.window) and not self._running and not len(self._queue)

    @property
    def done(self) -> bool:
        """Whether its errand is: all events that it was about have ended."""
        if self._errand is None or self._ledger.window.cursor < self._errand.last:
            return False
        return not (len(self._ledger.window) or len(self._queue) or self._running or self._parking.holds.parked)

    # What operators do

    def room_for_letters(self) -> bool:
        """Whether dead letters may be given back now: not while so many subjects are held already."""
        return not self._parking.crowded

    async def revive(self, letters: Sequence[DeadLetter]) -> Sequence[int]:
        """Give dead letters of this sink back: each waits behind what is held of its subject, and before what comes later.

        Gives the ids of those that were there. Raises JournalError.
        """
        parked = {letter.id: row for letter in letters if (row := self._parked_again(letter)) is not None}
        self._parking.reserve(row.order_key for row in parked.values())
        self._ledger.flush()
        revived: Sequence[int] = ()
        try:
            revived = await self._journal.revive(self.outlet.name, parked)
        finally:
            self._parking.missing(parked[number].order_key for number in parked.keys() - set(revived))
        self._parking.revived(parked[number].order_key for number in revived)
        self._wake.set()
        return revived

    def _parked_again(self, letter: DeadLetter) -> Parked | None:
        if letter.position is None:
            return None
        envelope = Envelope.from_json(letter.body)
        scope = self.outlet.scope(envelope)
        key = scoped_key(self.outlet.settings.ordering, scope, envelope) or f"#{letter.position}"
        return Parked(letter.position, key, "", due_ms=int(self._clock.wall() * 1000))

    # Life

    async def register(self) -> None:
        """Take up the cursor that the journal has for this lane, made at the head when it has none."""
        await self._ledger.restore()
        await self._parking.restore(self.outlet.settings.retry.max_seconds)

    async def run(self) -> None:
        """Open the sink, then deliver until cancelled or done. Raises JournalError when the journal fails."""
        watcher = asyncio.create_task(self._watch(), name=f"lane {self.name}: watch")
        watcher.add_done_callback(self._landed)
        self.outlet.join(self._wake.set, self._outage.hurry)
        try:
            await self._open()
            while not self.done:
                self._wake.clear()
                await self._turn()
                if self.idle:
                    self._quiet.set()
                await self._sleep()
        finally:
            self.outlet.leave(self._wake.set, self._outage.hurry)
            self._state("stopped")
            self._quiet.set()
            running = [watcher, *self._running]
            for task in running:
                task.cancel()
            self._ledger.flush()  # a plug-in that doesn't let itself be cancelled must not cost what the others did
            await asyncio.gather(*running, return_exceptions=True)
            self._ledger.flush()

    async def drain(self) -> None:
        """Return once nothing more can be delivered. The caller sets the deadline."""
        if self.state == "stopped" or (self.state == "unavailable" and not self.outlet.opened.is_set()):
            return
        self._quiet.clear()
        self._wake.set()
        await self._quiet.wait()

    async def durable(self) -> None:
        """Return when all that it has said is in the journal."""
        await self._ledger.durable()

    async def _open(self) -> None:
        if self._errand is not None:
            await self.outlet.opened.wait()
            self._state("running")
            return
        tries = 0
        while why := await self.outlet.open():
            tries += 1
            self._state("unavailable", "open", why)
            self._quiet.set()
            await self._source.read_until_wanted()
            self._outage.wait(tries)
            while not self.outlet.replaced and (left := self._outage.left):
                self._wake.clear()
                await self._wait(left)
            if self.outlet.replaced:
                await self.outlet.change()
                tries = 0
        self._resume()

    async def _watch(self) -> None:
        seen = self._ledger.window.cursor
        while True:
            await self._journal.wait(seen)
            seen = self._journal.head
            self._wake.set()

    # One turn: read, load what is due, launch

    async def _turn(self) -> None:
        if self._journal.failed is not None or self._crash is not None:
            raise self._journal.failed or self._crash or AssertionError
        if self._errand is None and self.outlet.replaced:
            await self.outlet.change()
            self._state("opening")
            await self._open()
        if self.outlet.paused:
            await self._source.read_until_wanted()
        elif self.state == "unavailable":
            await self._hold_on()
        else:
            await self._parking.load_due(self._queue)
            sink = self.outlet.sink
            if len(self._queue) < sink.max_events * sink.concurrency and await self._source.read():
                self._wake.set()
            self._launch_ready()
        self._ledger.flush()

    def _launch_ready(self) -> None:
        most = self._pace.most(self._journal.head)
        self._paced = self._rated = False
        while self.state == "running" and len(self._queue) and self.outlet.free(replay=self._replay):
            allowed = self._allowed(most)
            self._rated = allowed <= 0
            self._paced = allowed > 0 and self._pace.holds(len(self._queue), most)
            batch = [] if self._paced or not allowed else self._source.take(allowed)
            if not batch:
                break
            self._pace.launched()
            self._launch(batch)
        if self._errand is None and not len(self._queue):
            self.outlet.yields()

    def _allowed(self, most: int) -> int:
        """How many events may go in a batch now, by the rates."""
        allowed = min(most, self.outlet.rate.allowed())
        return allowed if self._errand is None else min(allowed, REPLAY_EVENTS, self._errand.rate.allowed())

    def _launch(self, batch: list[Entry]) -> None:
        self._begin(len(batch))
        task = asyncio.create_task(self._deliver(batch), name=f"lane {self.name}: deliver")
        self._running.add(task)
        task.add_done_callback(self._delivered)

    def _begin(self, events: int) -> None:
        self.outlet.begin(replay=self._replay)
        self.outlet.rate.spend(events)
        if self._errand is not None:
            self._errand.rate.spend(events)

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self.outlet.end(replay=self._replay)
        self._landed(task)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            self._crash = self._crash or task.exception()
        self._wake.set()

    async def _deliver(self, batch: list[Entry]) -> None:
        unavailable = self._apply(batch, await self.outlet.outcomes(batch))
        if self.state == "running" and unavailable is not None:
            self._hold(1, unavailable)
        elif self.state == "running" and self._breaker.open:
            self._hold(1, self._failing())
        elif unavailable is not None:
            self._outage.prolong(self._bounded(unavailable.after))

    def _apply(self, batch: list[Entry], outcomes: Sequence[Outcome]) -> Unavailable | None:
        back, unavailable = self._judge.batch(batch, outcomes) if outcomes else (batch, None)
        self._queue.release(batch)
        self._queue.put_back(back)
        return unavailable

    async def _sleep(self) -> None:
        await self._wait(self._until_probe() if self.state == "unavailable" else self._until_something())

    async def _wait(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    def _until_something(self) -> float | None:
        if self.outlet.paused:
            return None
        waits = [self._parking.next_due(self._queue), self._pace.left if self._paced else None]
        if self._rated:  # until now, perhaps: then at once, as nothing else may come to wake it
            rates = (self.outlet.rate, self._errand.rate) if self._errand is not None else (self.outlet.rate,)
            waits.append(max(rate.wait() for rate in rates))
        return min((wait for wait in waits if wait is not None), default=None)

    # The whole sink unavailable: nothing is launched but probes

    def _hold(self, probes: int, why: Unavailable) -> None:
        pause = self._outage.wait(probes, self._bounded(why.after))
        self.outlet.yields()
        self._state("unavailable", why.reason, why.detail)
        self._telemetry.emit(
            facts.UNAVAILABLE,
            sink=self.outlet.name,
            reason=why.reason,
            detail=why.detail,
            probe_seconds=round(pause, 3),
        )

    def _bounded(self, after: float | None) -> float:
        return min(after or 0.0, self.outlet.settings.retry.max_seconds)

    def _until_probe(self) -> float | None:
        if self._running or self.outlet.paused:
            return None
        left = self._outage.left
        return left if left or self.outlet.free(replay=self._replay) else None

    async def _hold_on(self) -> None:
        await self._source.read_until_wanted()
        if self._until_probe() != 0.0:
            return
        why = await self._outage.probe(self._probe)
        if why is None:
            self._resume()
        else:
            self._hold(self._outage.probes + 1, why)

    def _resume(self) -> None:
        self._outage.over()
        self._state("running")
        self._wake.set()

    async def _probe(self, entry: Entry) -> Unavailable | None:
        """Deliver it alone. None when the sink is there: it took the event, or refused this one for good."""
        if not self.outlet.free(replay=self._replay):  # since this probe was chosen
            return self._apply([entry], [Unavailable("paused" if self.outlet.paused else "busy")])
        self._begin(1)
        try:
            outcomes = await self.outlet.outcomes([entry])
        finally:
            self.outlet.end(replay=self._replay)
        unavailable = self._apply([entry], outcomes)
        answered = isinstance(outcomes[0], Delivered | Rejected)
        return self._failing() if unavailable is None and self._breaker.open and not answered else unavailable

    def _uncopied(self) -> None:
        self._telemetry.emit(facts.DEAD_UNCOPIED, sink=self.outlet.name, to=self.outlet.settings.dead_letters)

    def _failing(self) -> Unavailable:
        return Unavailable("failing", f"the breaker is open: {self._breaker.why}")

    def _state(self, state: State, reason: str = "", detail: str = "") -> None:
        self._reason = f"{reason}: {detail}" if detail else reason
        if state != self.state:
            self.state = state
            shown, why = ("paused", "operator") if state == "running" and self.outlet.paused else (state, reason)
            self._telemetry.emit(facts.LANE_STATE, sink=self.name, state=shown, reason=why, detail=detail)
