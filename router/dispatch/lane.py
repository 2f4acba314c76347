"""The lane of one sink: reads the journal, delivers in batches, holds what must wait, and settles what ended."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from router.dispatch.backoff import delay
from router.dispatch.entry import Entry, scoped_key
from router.dispatch.judge import Judge
from router.dispatch.ledger import Ledger
from router.dispatch.pace import Pace
from router.dispatch.parking import Parking
from router.dispatch.parts import Parts
from router.dispatch.queue import Queue
from router.dispatch.routes import Routes
from router.envelope import Envelope
from router.journal.contract import Record
from router.telemetry import facts
from sinks.contract import Outcome, Retry, Sink, Unavailable
from sinks.settings import SinkSettings

READ_EVENTS = 1000
PROBE_MAX_SECONDS = 30.0
MISSES_MAX = 16
"""So many failures in a row, none delivered between, and the sink counts as unavailable though each was a Retry."""

State = Literal["opening", "running", "unavailable", "stopped"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a lane shows of itself. lag_seconds: age of the oldest unsettled event."""

    state: State
    lag_events: int
    lag_seconds: float
    parked: int
    in_flight: int
    scopes_unavailable: int


class Lane:
    """Drives one sink. `run` ends only when it is cancelled or the journal fails."""

    def __init__(self, name: str, sink: Sink, settings: SinkSettings, parts: Parts) -> None:
        self.name = name
        self.state: State = "opening"
        self.routes = Routes(settings)
        self._sink = sink
        self._settings = settings
        self._journal, self._limits, self._telemetry, self._clock, self._jitter = parts
        self._queue = Queue(within_batch=sink.keeps_order, single=sink.concurrency == 1)
        self._ledger = Ledger(name, self._journal)
        self._parking = Parking(name, self._scope, self._journal, self._ledger, self._clock)
        self._judge = Judge(name, settings.retry, self._ledger, self._parking, parts)
        self._window_events = min(self._limits.window_events, max(256, 4 * sink.max_events * sink.concurrency))
        self._running: set[asyncio.Task[None]] = set()
        self._crash: BaseException | None = None
        self._wake = asyncio.Event()
        self._quiet = asyncio.Event()
        self._opened = False
        self._unwanted = self._telemetry.tally(facts.UNWANTED, sink=name)
        self._pace = Pace(sink.max_events, self._clock.monotonic)
        self._paced = False
        self._hold_until = 0.0
        self._probes = 0
        self._suspects: set[Entry] = set()

    # What operators see

    def reading(self) -> Reading:
        """The lane's state and lag now."""
        window = self._ledger.window
        oldest = window.oldest
        return Reading(
            self.state,
            max(0, self._journal.head - window.cursor) + len(window),
            max(0.0, self._clock.wall() - datetime.fromisoformat(oldest).timestamp()) if oldest else 0.0,
            self._parking.holds.parked,
            len(self._running),
            len(self._parking.holds.scopes),
        )

    @property
    def idle(self) -> bool:
        """Nothing more can be delivered now: all read and ended but for what is parked, or the sink is unavailable."""
        if self.state != "running":
            return not self._running
        window = self._ledger.window
        all_read = window.cursor >= self._journal.head or self._parking.full
        return all_read and not len(window) and not self._running and not len(self._queue)

    # Life

    async def register(self) -> None:
        """Take up the cursor that the journal has for this lane, made at the head when it has none."""
        await self._ledger.restore()
        await self._parking.restore(self._settings.retry.max_seconds)

    async def run(self) -> None:
        """Open the sink, then deliver until cancelled. Raises JournalError when the journal fails."""
        watcher = asyncio.create_task(self._watch(), name=f"lane {self.name}: watch")
        watcher.add_done_callback(self._landed)
        try:
            await self._open()
            while True:
                self._wake.clear()
                await self._turn()
                if self.idle:
                    self._quiet.set()
                await self._sleep()
        finally:
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
        if self.state == "stopped" or (self.state == "unavailable" and not self._opened):
            return
        self._quiet.clear()
        self._wake.set()
        await self._quiet.wait()

    async def _open(self) -> None:
        tries = 0
        while True:
            try:
                async with asyncio.timeout(self._limits.deliver_timeout_seconds):
                    await self._sink.open()
            except Exception as error:  # noqa: BLE001 - whatever a sink raises here means "not now"
                tries += 1
                self._state("unavailable", "open", str(error) or type(error).__name__)
                self._quiet.set()
                await self._read_until_wanted()
                await self._clock.sleep(delay(tries, 0.5, PROBE_MAX_SECONDS, random=lambda: 0.5 + self._jitter() / 2))
            else:
                self._opened = True
                self._state("running")
                return

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
        if self.state == "unavailable":
            await self._hold_on()
        else:
            await self._parking.load_due(self._queue)
            if len(self._queue) < self._sink.max_events * self._sink.concurrency and await self._read():
                self._wake.set()
            self._launch_ready()
        self._ledger.flush()

    async def _read(self) -> bool:
        """Take in the next records, as far as there is room; whether there are more."""
        window, room = self._ledger.window, self._room()
        if room <= 0 or window.cursor >= self._journal.head:
            return False
        records = await self._journal.read(window.cursor, min(room, READ_EVENTS), self._limits.window_bytes)
        self._admit(records)
        if not records or window.cursor >= self._journal.head:
            return False
        await asyncio.sleep(0)  # a long way through events that are not wanted must let the others have their turns
        return True

    async def _read_until_wanted(self) -> None:
        """So that the lag in seconds is known while nothing is delivered."""
        while not len(self._ledger.window) and await self._read():
            self._ledger.flush()

    def _room(self) -> int:
        if self._parking.full or self._queue.bytes >= self._limits.window_bytes:
            return 0
        return self._window_events - len(self._ledger.window)

    def _admit(self, records: Sequence[Record]) -> None:
        window, queue, wants, ordering = self._ledger.window, self._queue, self.routes.wants, self._settings.ordering
        for position, envelope in records:
            if window.resumed and window.settled_before(position):
                window.skip(position)
            elif not wants(envelope):
                window.skip(position)
                self._unwanted.count += 1
            else:
                window.add(position, envelope.recordedtime)
                scope = self._scope(envelope)
                queue.put(Entry(position, envelope, scoped_key(ordering, scope, envelope), scope))

    def _scope(self, envelope: Envelope) -> str:
        try:
            return self._sink.scope(envelope)
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything, and must end no other lane by it
            self._telemetry.emit(facts.SINK_BUG, sink=self.name, problem=f"scope(): {error!r}"[:500], events=1)
            return ""

    def _launch_ready(self) -> None:
        most = self._pace.most(self._journal.head)
        self._paced = False
        while self.state == "running" and len(self._running) < self._sink.concurrency:
            self._paced = self._pace.holds(len(self._queue), most)
            batch = [] if self._paced else self._take(most)
            if not batch:
                break
            self._pace.launched()
            self._launch(batch)

    def _take(self, max_events: int) -> list[Entry]:
        """The next batch, without what must be parked or is stale. Empty when nothing may go now."""
        while True:
            batch = self._queue.take(max_events, self._sink.max_bytes)
            if not batch or not self._parking.holds:
                return batch
            kept: list[Entry] = []
            diverted: list[Entry] = []
            for entry in batch:
                (diverted if self._parking.divert(entry) else kept).append(entry)
            self._queue.release(diverted, still=kept)
            if kept:
                return kept

    def _launch(self, batch: list[Entry]) -> None:
        task = asyncio.create_task(self._deliver(batch), name=f"lane {self.name}: deliver")
        self._running.add(task)
        task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            self._crash = self._crash or task.exception()
        self._wake.set()

    async def _deliver(self, batch: list[Entry]) -> None:
        unavailable = self._apply(batch, await self._outcomes(batch))
        if self.state == "running" and unavailable is not None:
            self._hold(1, unavailable)
        elif self.state == "running" and self._failing:
            self._hold(1, Unavailable("failing", f"{self._judge.misses} deliveries failed, none got through between"))

    def _apply(self, batch: list[Entry], outcomes: Sequence[Outcome]) -> Unavailable | None:
        back, unavailable = self._judge.batch(batch, outcomes) if outcomes else (batch, None)
        self._queue.release(batch)
        self._queue.put_back(back)
        return unavailable

    async def _outcomes(self, batch: list[Entry]) -> Sequence[Outcome]:
        envelopes = [entry.envelope for entry in batch]
        limit = asyncio.timeout(self._limits.deliver_timeout_seconds)
        try:
            async with limit:
                outcomes = await self._sink.deliver(envelopes)
            if len(outcomes) == len(batch):
                return outcomes
            problem = f"{len(outcomes)} outcomes for {len(batch)} events"
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            problem = repr(error)  # it let out a cancellation of its own: nobody cancelled the lane
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
            if limit.expired():
                hung = Unavailable("timeout", f"deliver() took more than {self._limits.deliver_timeout_seconds:g} s")
                return [hung] * len(batch)
            problem = repr(error)[:500]
        self._telemetry.emit(facts.SINK_BUG, sink=self.name, problem=problem, events=len(batch))
        if len(batch) == 1:
            return [Retry("raised", problem)]
        for entry in batch:
            entry.alone = True
        return []

    async def _sleep(self) -> None:
        wait = self._until_probe() if self.state == "unavailable" else self._until_something()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._wake.wait()

    def _until_something(self) -> float | None:
        due = self._parking.next_due(self._queue)
        if not self._paced:
            return due
        return self._pace.left if due is None else min(due, self._pace.left)

    # The whole sink unavailable: stop reading and launching, probe with one event, then with one of another subject

    def _hold(self, probes: int, why: Unavailable) -> None:
        self._probes = probes
        pause = delay(probes, 0.5, PROBE_MAX_SECONDS, why.after, lambda: 0.5 + self._jitter() / 2)
        self._hold_until = self._clock.monotonic() + pause
        self._state("unavailable", why.reason, why.detail)
        self._telemetry.emit(
            facts.UNAVAILABLE, sink=self.name, reason=why.reason, detail=why.detail, probe_seconds=round(pause, 3)
        )

    def _until_probe(self) -> float | None:
        return None if self._running else max(0.0, self._hold_until - self._clock.monotonic())

    async def _hold_on(self) -> None:
        await self._read_until_wanted()
        if self._until_probe() == 0.0:
            await self._read_for_probe()
            await self._probe_both()

    async def _probe_both(self) -> None:
        first = await self._first_probe()
        why = await self._probe(first) if first is not None else None
        if first is None or why is None:
            self._resume()
            return
        other = await self._other_probe(first)
        if other is None or await self._probe(other) is not None:
            self._suspects.update(entry for entry in (first, other) if entry is not None)
            self._hold(self._probes + 1, why)
            return
        if self._queue.remove(first):  # it is this event, not the sink
            self._judge.fail(first, Retry(why.reason, why.detail))
        self._resume()

    def _resume(self) -> None:
        self._suspects.clear()
        self._state("running")
        self._wake.set()

    async def _read_for_probe(self) -> None:
        """A probe wants two subjects that have not been tried: read on while there is but one."""
        if len({entry.key or entry for entry in self._queue} - {entry.key or entry for entry in self._suspects}) < 2:
            await self._read()

    @property
    def _failing(self) -> bool:
        return self._judge.misses >= MISSES_MAX

    async def _first_probe(self) -> Entry | None:
        if self._failing:
            await self._parking.load_earliest(self._queue)
        batch = self._take(1)
        return batch[0] if batch else None

    async def _other_probe(self, first: Entry) -> Entry | None:
        other = self._untried({first, *self._suspects})
        if other is None:  # what is parked may tell; and when all have been tried, begin again
            self._suspects.clear()
            await self._parking.load_earliest(self._queue)
            other = self._untried({first})
        return other

    def _untried(self, tried: set[Entry]) -> Entry | None:
        # A sink that fails everything one by one is probed with what has failed already, or each probe would park one more.
        while (other := self._queue.take_other(tried, parked=self._failing)) is not None:
            if not (self._parking.holds and self._parking.divert(other)):
                return other
        return None

    async def _probe(self, entry: Entry) -> Unavailable | None:
        """Deliver it alone. None when the sink is there: it took the event, or refused this one for good."""
        outcomes = await self._outcomes([entry])
        unavailable = self._apply([entry], outcomes)
        if unavailable is None and self._failing:
            return Unavailable("failing", f"{self._judge.misses} deliveries failed, none got through between")
        return unavailable

    def _state(self, state: State, reason: str = "", detail: str = "") -> None:
        if state != self.state:
            self.state = state
            self._telemetry.emit(facts.LANE_STATE, sink=self.name, state=state, reason=reason, detail=detail)
