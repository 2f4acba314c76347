"""Where a lane's events come from: the journal's next records, into the window and the queue, and out of it in batches."""

import asyncio
from collections.abc import Sequence

from router.dispatch.entry import Entry, scoped_key
from router.dispatch.errand import Errand
from router.dispatch.ledger import Ledger
from router.dispatch.outlet import Outlet
from router.dispatch.parking import Parking
from router.dispatch.parts import Parts
from router.dispatch.queue import Queue
from router.journal.contract import Record
from router.telemetry import facts

READ_EVENTS = 1000
LIVE_WINDOW = 256
"""At least; four times what the sink takes at once, where that is more."""
REPLAY_WINDOW = 256
"""A replay is slow on purpose: what it reads ahead is written down as settled or not, again and again."""


class Source:
    """Reads on, as far as there is room in the window."""

    def __init__(
        self, outlet: Outlet, errand: Errand | None, queue: Queue, ledger: Ledger, parking: Parking, parts: Parts
    ) -> None:
        self._outlet = outlet
        self._errand = errand
        self._queue = queue
        self._ledger = ledger
        self._parking = parking
        self._journal = parts.journal
        self._bytes = parts.dispatch.window_bytes
        self._events = parts.dispatch.window_events
        self._unwanted = parts.telemetry.tally(facts.UNWANTED, sink=outlet.name)

    @property
    def end(self) -> int:
        """The position up to which there is something to read."""
        head = self._journal.head
        return head if self._errand is None else min(head, self._errand.last)

    @property
    def all_read(self) -> bool:
        """Whether there is nothing more to read now."""
        return self._ledger.window.cursor >= self.end

    async def read(self) -> bool:
        """Take in the next records, as far as there is room; whether there are more."""
        room = self._room()
        if room <= 0 or self.all_read:
            return False
        records = await self._journal.read(self._ledger.window.cursor, min(room, READ_EVENTS), self._bytes)
        self._admit(records if self._errand is None else self._before_last(records, self._errand.last))
        if not records or self.all_read:
            return False
        await asyncio.sleep(0)  # a long way through events that are not wanted must let the others have their turns
        return True

    async def read_until_wanted(self) -> None:
        """So that the lag in seconds is known while nothing is delivered."""
        while not len(self._ledger.window) and await self.read():
            self._ledger.flush()

    def take(self, max_events: int) -> list[Entry]:
        """The next batch to deliver, without what must be parked or is stale. Empty when nothing may go now."""
        while True:
            batch = self._queue.take(max_events, self._outlet.sink.max_bytes)
            if not batch or not self._parking.holds:
                return batch
            kept: list[Entry] = []
            diverted: list[Entry] = []
            for entry in batch:
                (diverted if self._parking.divert(entry) else kept).append(entry)
            self._queue.release(diverted, still=kept)
            if kept:
                return kept

    def _room(self) -> int:
        if self._parking.full or self._queue.bytes >= self._bytes:
            return 0
        sink = self._outlet.sink
        most = max(LIVE_WINDOW, 4 * sink.max_events * sink.concurrency) if self._errand is None else REPLAY_WINDOW
        return min(self._events, most) - len(self._ledger.window)

    def _before_last(self, records: Sequence[Record], last: int) -> Sequence[Record]:
        if records and records[-1].position <= last:
            return records
        kept = [record for record in records if record.position <= last]
        if not kept:
            self._ledger.window.skip(last)  # retention has dropped what was there
        return kept

    def _admit(self, records: Sequence[Record]) -> None:
        window, queue, wants, scope_of = self._ledger.window, self._queue, self._outlet.routes.wants, self._outlet.scope
        ordering, errand = self._outlet.settings.ordering, self._errand
        for position, envelope in records:
            if window.resumed and window.settled_before(position):
                window.skip(position)
            elif not wants(envelope):
                window.skip(position)
                self._unwanted.count += errand is None
            elif errand is not None and not errand.wants(envelope):
                window.skip(position)
            else:
                window.add(position, envelope.recordedtime)
                scope = scope_of(envelope)
                given = envelope if errand is None else errand.mark(envelope)
                queue.put(Entry(position, given, scoped_key(ordering, scope, envelope), scope))
