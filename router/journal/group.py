"""Group commit as the event loop sees it: what collects, what is being committed, and who waits for it.

While the writer thread commits one batch the next collects; when the commit is announced the next one goes. An append to
an idle journal goes at the end of the loop's turn, together with what else came in that turn; settlements alone wait a
little for an append to join.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from router.envelope import Envelope
from router.journal.batch import Batch, Control, LaneChange, created_key, dedupe_key, lane_change, letter_json
from router.journal.contract import (
    DeadLetter,
    JournalError,
    JournalFailedError,
    JournalFullError,
    Settlement,
    Verdict,
)
from router.journal.recent import Recent
from router.journal.store import ROW_OVERHEAD, Done, Store
from router.journal.writer import Writer

T = TypeVar("T")

SETTLE_SECONDS = 0.05
FORGOTTEN = ""
"""In place of a lane's name: nobody has it."""
CLOSED = "the journal is closed"


class GroupCommit:
    """Built idle; `start` begins, `finish` ends. Calls back on the loop after each commit and once on failure.

    refuse: makes the error for an append without room; recreated: told of a copy with another creation time.
    """

    def __init__(
        self,
        store: Store,
        *,
        committed: Callable[[Batch, Done], int],
        failed: Callable[[JournalFailedError], None],
        refuse: Callable[[], JournalFullError],
        recreated: Callable[[Envelope], None],
    ) -> None:
        self._writer = Writer(store, self._answered)
        self._on_commit = committed
        self._on_failure = failed
        self._refuse = refuse
        self._recreated = recreated
        self._recent = Recent()
        self._batch = Batch()
        self._flying: Batch | None = None
        self._pending: dict[bytes, tuple[Batch, int]] = {}
        self._room = 0
        self._open = False
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self.failure: JournalFailedError | None = None

    def start(self, room: int) -> None:
        """Begin, on the running loop, with room for so many bytes of events."""
        self._loop = asyncio.get_running_loop()
        self._idle = asyncio.Event()
        self._idle.set()
        self._writer.start(self._loop)
        self._room = room
        self._open = True

    async def finish(self) -> None:
        """Take nothing more; return when all is committed or failed."""
        self._open = False
        self.flush()
        await self._idle.wait()

    def stop(self) -> None:
        """End the thread, after `finish`. Blocking. Raises what the last checkpoint raised."""
        self._writer.stop()

    def append(self, envelope: Envelope) -> asyncio.Future[Verdict]:
        """See `Journal.append`."""
        key = dedupe_key(envelope)
        if key in self._pending or self._recent.get(key) is not None:
            return self._copy(envelope, key)
        batch = self._batch
        size = batch.size + len(envelope.json) + ROW_OVERHEAD
        if size > self._room or not self._open:
            self.check_open()
            raise self._refuse()
        batch.size = size
        future: asyncio.Future[Verdict] = self._loop.create_future()
        batch.envelopes.append(envelope)
        batch.ids += (created_key(envelope), key)
        batch.futures.append(future)
        self._pending[key] = batch, envelope.created_ms
        if not self._scheduled:
            self._schedule()
        return future

    def quarantine(self, letter: DeadLetter) -> asyncio.Future[None]:
        """See `Journal.quarantine`."""
        row = letter_json(letter)
        size = self._batch.size + len(letter.body) + ROW_OVERHEAD
        if size > self._room or not self._open:
            self.check_open()
            raise self._refuse()
        self._batch.size = size
        future: asyncio.Future[None] = self._loop.create_future()
        self._batch.letters.append(row)
        self._batch.letter_futures.append(future)
        self._schedule()
        return future

    def settle(self, lane: str, settlement: Settlement) -> asyncio.Future[None]:
        """See `Journal.settle`."""
        self.check_open()
        change = lane_change(settlement)
        earlier = self._batch.settles.get(lane)
        if earlier is None:
            self._batch.settles[lane] = change
        else:
            earlier.add(change)
        future: asyncio.Future[None] = self._loop.create_future()
        self._batch.settle_futures.append(future)
        if self._timer is None:
            self._timer = self._loop.call_later(SETTLE_SECONDS, self.flush)
        return future

    def drop_settles(self, lane: str) -> None:
        """Leave out what a lane to be forgotten has said since the last commit, but for its dead letters: they stay."""
        change = self._batch.settles.pop(lane, None)
        if change is not None and change.dead:
            self._batch.settles.setdefault(FORGOTTEN, LaneChange()).dead += change.dead

    def control(self, control: Control) -> asyncio.Future[Any]:
        """Do something within the next commit's transaction; the future has its result when durable."""
        self.check_open()
        future: asyncio.Future[Any] = self._loop.create_future()
        self._batch.controls.append((control, future))
        self._schedule()
        return future

    async def written(self) -> None:
        """Return when all that was taken before is durable."""
        if self._flying is not None or not self._batch.empty:
            await self.control(lambda _: None)

    def tick(self) -> None:
        """Let the store look after itself when nothing else makes it."""
        if self._open and self._flying is None:
            self._submit()

    def check_open(self) -> None:
        """Raises JournalFailedError after a failure, JournalError when closed or not open yet."""
        if self.failure is not None:
            raise JournalFailedError(str(self.failure)) from self.failure
        if not self._open:
            raise JournalError(CLOSED)

    def flush(self) -> None:
        """Commit what has collected, now or when the commit under way is done."""
        self._cancel_timer()
        self._scheduled = self._flying is not None
        if self._flying is None and not self._batch.empty:
            self._submit()

    def _copy(self, envelope: Envelope, key: bytes) -> asyncio.Future[Verdict]:
        future: asyncio.Future[Verdict] = self._loop.create_future()
        pending = self._pending.get(key)
        if pending is not None:
            batch, created = pending
            batch.copies.append(future)
        else:
            created = self._recent.get(key) or 0
            future.set_result(Verdict.DUPLICATE)
        if created != envelope.created_ms:
            self._recreated(envelope)
        return future

    def _schedule(self) -> None:
        """From now on the next commit needn't be asked for; while one is under way its end sees to that."""
        if not self._scheduled:
            self._scheduled = True
            if self._flying is None:
                self._loop.call_soon(self.flush)

    def _submit(self) -> None:
        self._cancel_timer()
        batch, self._batch = self._batch, Batch()
        self._flying = batch
        self._room -= batch.size
        self._idle.clear()
        self._writer.submit(batch)

    def _answered(self, batch: Batch, outcome: Done | Exception) -> None:
        if self.failure is not None:
            _refuse(batch.waiters(), self.failure)
            return
        if isinstance(outcome, Exception):
            self._fail(batch, outcome)
            return
        self._flying = None
        self._resolve(batch, outcome)
        self._room = self._on_commit(batch, outcome)
        if self._scheduled or (outcome.more and self._open) or (not self._open and not self._batch.empty):
            self._scheduled = False
            self._submit()
        else:
            self._idle.set()

    def _resolve(self, batch: Batch, done: Done) -> None:
        for key in batch.event_keys():
            del self._pending[key]
        if done.refused is None:
            self._recent.add(batch.event_keys(), batch.created())
            stored = [Verdict.STORED] * len(batch.futures)
            _give(batch.futures, stored if done.new is None else [_VERDICT[new] for new in done.new])
            _give(batch.copies, [Verdict.DUPLICATE] * len(batch.copies))
            _give(batch.letter_futures, [None] * len(batch.letter_futures))
        else:
            _refuse([*batch.futures, *batch.copies, *batch.letter_futures], done.refused)
        if done.unsettled and done.refused is not None:
            self._keep_settles(batch)
            _refuse([future for _, future in batch.controls], done.refused)
        else:
            _give(batch.settle_futures, [None] * len(batch.settle_futures))
            _give([future for _, future in batch.controls], done.results)

    def _keep_settles(self, batch: Batch) -> None:
        """Put back what could not be written on a disk without any space; the next tick tries it again."""
        for lane, change in batch.settles.items():
            later = self._batch.settles.get(lane)
            if later is not None:
                change.add(later)
            self._batch.settles[lane] = change
        self._batch.settle_futures += batch.settle_futures

    def _fail(self, batch: Batch, error: Exception) -> None:
        self.failure = JournalFailedError(f"the journal failed and takes nothing more: {type(error).__name__}: {error}")
        self.failure.__cause__ = error
        self._open = False
        self._cancel_timer()
        self._pending.clear()
        self._recent = Recent()
        for failed in (batch, self._flying or Batch(), self._batch):
            _refuse(failed.waiters(), self.failure)
        self._batch, self._flying = Batch(), None
        self._on_failure(self.failure)
        self._idle.set()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


_VERDICT = {True: Verdict.STORED, False: Verdict.DUPLICATE}


def _give(futures: Sequence[asyncio.Future[T]], results: Iterable[T]) -> None:
    for future, result in zip(futures, results, strict=True):
        if not future.done():
            future.set_result(result)


def _refuse(futures: Sequence[asyncio.Future[Any]], error: JournalError) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(type(error)(str(error)))
            future.exception()  # a push whose client has gone is nobody's; asyncio needn't say so
