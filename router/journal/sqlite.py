"""The SQLite journal: the contract put together from group commit, tail and reader. Disk format: `router.journal.schema`."""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import compress
from pathlib import Path
from typing import Any

from router.clock import Clock
from router.envelope import Envelope
from router.journal import guard
from router.journal.batch import Batch, Control, parked_json
from router.journal.contract import (
    ALL_LETTERS,
    INGRESS,
    DeadLetter,
    JournalError,
    JournalFailedError,
    JournalFullError,
    JournalOpenError,
    KeyHead,
    LaneNotes,
    LaneState,
    LetterFilter,
    LetterGroup,
    LetterKey,
    Meta,
    Parked,
    Record,
    Settlement,
    Verdict,
)
from router.journal.group import GroupCommit
from router.journal.lanes import delete_lane, insert_lane, next_number, rename_lane, write_notes
from router.journal.limits import MIB, Limits, limits_of
from router.journal.opening import UNREADABLE, explain, open_writer
from router.journal.reader import Reader
from router.journal.revival import purge, revive
from router.journal.store import Done, Store, Tally
from router.journal.tail import Tail
from router.settings.model import JournalSettings
from router.telemetry import Telemetry, facts

TICK_SECONDS = 1.0
TRIMMED_EVERY_SECONDS = 10.0
FEW_BYTES = 128 << 10
"""With less room than this for events it counts as full, though a small one may still fit."""
DEAD_LETTERS = "dead letters"
"""Named as the holder of a full journal's space when they take more of it than events do; no sink's name has a blank."""


class SqliteJournal:
    """A `Journal` in one file. Built closed; `limits` is for tests that can't wait for gigabytes."""

    def __init__(
        self, path: Path, settings: JournalSettings, telemetry: Telemetry, clock: Clock, limits: Limits | None = None
    ) -> None:
        self.path = path
        self._telemetry = telemetry
        self._clock = clock
        self._limits = limits or limits_of(settings)
        self._store = Store(path, self._limits, clock)
        self._group = GroupCommit(
            self._store, committed=self._committed, failed=self._fail, refuse=self._full, recreated=self._recreated
        )
        self._reader = Reader(path)
        self._searcher = Reader(path, "journal-searcher")
        self._lock: guard.Lock | None = None
        self._unclean = False
        self._closing: asyncio.Task[None] | None = None
        self._opened = False
        self._tick: asyncio.TimerHandle | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        self._lanes: dict[str, LaneState] = {}
        self._leaving: set[str] = set()
        self._tallies: dict[str, Tally] = {}
        self._last = Done(0, 0)
        self._trimmed = 0
        self._trimmed_told = float("-inf")

    async def open(self) -> None:
        """Lock, check, migrate, start the threads. Raises JournalOpenError; then nothing is held."""
        if self._opened or self._closing is not None:
            raise JournalOpenError("a journal is opened once")
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[JournalFailedError] = self._loop.create_future()
        done = await asyncio.to_thread(self._open)
        self._tail = Tail(done.head)
        self._adopt(Batch(), done)
        self._group.start(self._room(done))
        self._opened = True
        self._tick = self._loop.call_later(TICK_SECONDS, self._ticked)
        self._telemetry.emit(
            facts.JOURNAL_OPENED, path=str(self.path), head=done.head, events=done.events, unclean_end=self._unclean
        )
        if self.full:
            self._full()  # the log says why nothing will be taken, before anything comes

    async def close(self) -> None:
        """Finish what is pending, checkpoint, join the threads, unlock. Idempotent, also after a failure."""
        if self._closing is None and self._opened:
            self._closing = self._loop.create_task(self._close())
        if self._closing is not None:
            await asyncio.shield(self._closing)

    def append(self, envelope: Envelope) -> asyncio.Future[Verdict]:
        """See `Journal.append`. About 2 µs."""
        return self._group.append(envelope)

    def quarantine(self, letter: DeadLetter) -> asyncio.Future[None]:
        """See `Journal.quarantine`. Raises as `append`, and ValueError for a letter that isn't the ingress'."""
        if letter.lane != INGRESS or letter.position is not None:
            raise ValueError("only letters of the ingress, without a position, are quarantined")
        return self._group.quarantine(letter)

    def settle(self, lane: str, settlement: Settlement) -> asyncio.Future[None]:
        """See `Journal.settle`. Raises JournalError when the lane isn't registered or the journal has ended."""
        self._check_known(lane)
        return self._group.settle(lane, settlement)

    async def register(self, lane: str, start: int | None = None, about: str = "") -> LaneState:
        """See `Journal.register`."""
        if lane in self._lanes and lane not in self._leaving:
            return self._lanes[lane]
        position = self.head if start is None else start
        state: LaneState = await self._group.control(lambda db: insert_lane(db, lane, position, about))
        return state

    async def note(self, lane: str, notes: LaneNotes) -> None:
        """See `Journal.note`."""
        self._check_known(lane)
        if not await self._group.control(lambda db: write_notes(db, lane, notes)):
            raise JournalError(f"lane {lane!r} is not registered")

    async def rename(self, lane: str, to: str) -> None:
        """See `Journal.rename`. Neither may be running: it would go on from where it was before."""
        self._check_known(lane)
        if lane == to:
            return
        if to == INGRESS:
            raise JournalError(f"no lane can be named {INGRESS!r}")
        await self._group.written()
        refused = await self._leave(lane, lambda db: rename_lane(db, lane, to))
        if refused:
            raise JournalError(refused)

    async def forget(self, lane: str) -> None:
        """See `Journal.forget`."""
        self._group.drop_settles(lane)
        await self._leave(lane, lambda db: delete_lane(db, lane))

    async def lanes(self) -> Sequence[LaneState]:
        """See `Journal.lanes`."""
        return list(self._lanes.values())

    async def number(self, above: int = 0) -> int:
        """See `Journal.number`."""
        number: int = await self._group.control(lambda db: next_number(db, above))
        return number

    async def position_at(self, recorded_ms: int) -> int:
        """See `Journal.position_at`. Exact, but for where the clock was set back before format 2 or a thousand times since."""
        return await self._searcher.place(recorded_ms, self.head)

    async def read(self, after: int, limit: int, max_bytes: int) -> Sequence[Record]:
        """See `Journal.read`; from disk at most 1,000 records or 8 MiB at once. Raises JournalError."""
        records = self._tail.read(after, limit, max_bytes)
        return records if records is not None else await self._reader.events(after, limit, max_bytes)

    async def wait(self, after: int) -> None:
        """See `Journal.wait`. Raises JournalError when the journal ends before."""
        while self._tail.head <= after:
            self._group.check_open()
            future: asyncio.Future[None] = self._loop.create_future()
            self._waiting.add(future)
            try:
                await future
            finally:
                self._waiting.discard(future)

    async def wait_failed(self) -> JournalFailedError:
        """Returns when the journal has failed, with the reason: the process is to end then."""
        return await asyncio.shield(self._ended)

    async def parked_heads(self, lane: str, limit: int) -> Sequence[KeyHead]:
        """See `Journal.parked_heads`; counts take in what waits with scope ""."""
        await self._group.written()
        return await self._reader.heads(lane, limit)

    async def parked_scopes(self, lane: str) -> dict[str, int]:
        """See `Journal.parked_scopes`; scope "" is left out."""
        await self._group.written()
        return await self._reader.scopes(lane)

    async def read_parked(
        self, lane: str, *, order_key: str | None = None, scope: str | None = None, after: int = 0, limit: int = 100
    ) -> Sequence[tuple[Parked, Envelope]]:
        """See `Journal.read_parked`; sees all that was settled before. By key alone: what waits with scope ""."""
        await self._group.written()
        return await self._reader.parked(lane, order_key, scope, after, limit)

    async def dead_letters(
        self, wanted: LetterFilter = ALL_LETTERS, limit: int = 100, after: LetterKey | None = None
    ) -> Sequence[DeadLetter]:
        """See `Journal.dead_letters`; sees all that was settled before. At most 8 MiB at once."""
        await self._group.written()
        return await self._searcher.letters(wanted, limit, after)

    async def count_letters(self, wanted: LetterFilter = ALL_LETTERS) -> Sequence[LetterGroup]:
        """See `Journal.count_letters`; sees all that was settled before."""
        await self._group.written()
        return await self._searcher.groups(wanted)

    async def revive(self, lane: str, parked: Mapping[int, Parked]) -> Sequence[int]:
        """See `Journal.revive`. Left out are those, too, whose place the lane has not come to yet: it delivers them itself."""
        self._check_known(lane)
        rows = {number: (row.position, parked_json(row)) for number, row in parked.items()}
        ids: list[int] = await self._group.control(lambda db: revive(db, lane, rows))
        return ids

    async def purge(self, ids: Sequence[int]) -> int:
        """See `Journal.purge`. One transaction: large numbers are for the caller to cut."""
        chosen = list(ids)
        gone: int = await self._group.control(lambda db: purge(db, chosen))
        return gone

    def meta(self) -> Meta:
        """See `Journal.meta`. Costs nothing."""
        last = self._last
        dead = {lane: tally.dead for lane, tally in self._tallies.items() if tally.dead}
        return Meta(self.head, last.events, last.bytes, self._limits.max_bytes, last.oldest_ms, self._holder(), dead)

    @property
    def full(self) -> str | None:
        """What lacks space, so that appends are refused now; for everybody to see, so no names."""
        if self._room(self._last) >= FEW_BYTES:
            return None
        return "the disk is full" if self._last.disk_full else "the journal has reached its size limit"

    @property
    def head(self) -> int:
        """Position of the newest durable record."""
        return self._tail.head

    @property
    def failed(self) -> JournalFailedError | None:
        """Why the journal ended for good, if it has."""
        return self._group.failure

    def _open(self) -> Done:
        guard.prepare_directory(self.path.parent)
        lock = guard.take(self.path)
        try:
            connection, self._unclean = open_writer(self.path)
            try:
                done = self._store.open(connection)
                self._reader.start()
                self._searcher.start()
            except BaseException:
                self._reader.stop()
                connection.close()
                raise
        except BaseException as error:
            lock.release()
            if isinstance(error, UNREADABLE):
                raise explain(error, self.path) from error
            raise
        self._lock = lock
        return done

    async def _close(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
        await self._group.finish()
        await asyncio.to_thread(self._stop)
        self._wake()

    def _stop(self) -> None:
        self._searcher.stop()
        if self.failed is None:
            self._reader.stop()  # first, so that the writer is the last to close and the log goes
        try:
            self._group.stop()
        except sqlite3.Error as error:
            raise JournalFailedError(f"the last checkpoint of {self.path} failed: {error}") from error
        finally:
            self._reader.stop()
            if self._lock is not None:
                self._lock.release()

    def _committed(self, batch: Batch, done: Done) -> int:
        """Adopt what a commit came to; gives the room left for events, in bytes."""
        self._adopt(batch, done)
        if done.head >= done.first:
            stored = batch.envelopes if done.new is None else list(compress(batch.envelopes, done.new))
            self._tail.extend(done.first, stored)
            self._wake()
        self._trimmed += done.trimmed
        self._tell_trimmed()
        return self._room(done)

    def _adopt(self, batch: Batch, done: Done) -> None:
        self._last = done
        if done.lanes is not None:
            self._lanes, self._tallies = {state.name: state for state in done.lanes}, done.tallies
            return
        self._tallies |= done.tallies
        for name, change in () if done.unsettled else batch.settles.items():
            state = self._lanes.get(name)
            if state is not None:
                tally = done.tallies.get(name, Tally(state.parked, state.dead, 0))
                self._lanes[name] = replace(
                    state, position=change.position, settled=change.settled, parked=tally.parked, dead=tally.dead
                )

    def _check_known(self, lane: str) -> None:
        if lane not in self._lanes or lane in self._leaving:
            self._group.check_open()
            raise JournalError(f"lane {lane!r} is not registered")

    async def _leave(self, lane: str, control: Control) -> Any:
        """Let the lane settle nothing more, from now on or until it turns out that it stays."""
        self._leaving.add(lane)
        try:
            future = self._group.control(control)
        except BaseException:
            self._leaving.discard(lane)
            raise
        future.add_done_callback(lambda _: self._leaving.discard(lane))
        return await asyncio.shield(future)

    def _room(self, done: Done) -> int:
        return -1 if done.disk_full else self._limits.append_bytes - done.bytes

    def _full(self) -> JournalFullError:
        holder = DEAD_LETTERS if self._dead_bytes() * 2 > self._last.bytes else self._holder()
        problem = self._why_full(holder)
        self._telemetry.emit(facts.JOURNAL_FULL, holder=holder or "", problem=problem)
        return JournalFullError(problem, holder)

    def _why_full(self, holder: str | None) -> str:
        if self._last.disk_full:
            return f"the disk of {self.path} is full"
        held = f"sink {holder!r} holds the space" if holder else "no settled event is left to drop"
        if holder == DEAD_LETTERS:
            held = f"dead letters hold {self._dead_bytes() // MIB} MiB: replay or purge them"
        return f"the journal has reached its size limit of {self._limits.max_bytes} bytes: {held}"

    def _holder(self) -> str | None:
        now = int(self._clock.wall() * 1000)
        holding = [state for state in self._lanes.values() if self._limits.holds(state.notes.absent_ms, now)]
        lowest = min(holding, key=lambda state: state.position, default=None)
        if lowest is not None and lowest.position < self.head:
            return lowest.name
        most = max(self._lanes.values(), key=lambda state: state.parked, default=None)
        return most.name if most is not None and most.parked else None

    def _dead_bytes(self) -> int:
        return sum(tally.dead_bytes for tally in self._tallies.values())

    def _fail(self, failure: JournalFailedError) -> None:
        self._telemetry.emit(facts.JOURNAL_FAILED, error=str(failure))
        self._ended.set_result(failure)
        self._wake()

    def _recreated(self, envelope: Envelope) -> None:
        self._telemetry.emit(facts.RECREATED, type=envelope.type, id=envelope.id, source=envelope.source)

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def _ticked(self) -> None:
        self._group.tick()
        self._tell_trimmed()
        self._tick = self._loop.call_later(TICK_SECONDS, self._ticked)

    def _tell_trimmed(self) -> None:
        now = self._clock.monotonic()
        if self._trimmed and now - self._trimmed_told >= TRIMMED_EVERY_SECONDS:
            self._telemetry.emit(facts.JOURNAL_TRIMMED, self._trimmed, events=self._trimmed)
            self._trimmed, self._trimmed_told = 0, now
