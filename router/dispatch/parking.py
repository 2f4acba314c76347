"""Events that wait outside the window: parked in the journal, loaded again when due, subject by subject in order."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import inf

from router.clock import Clock
from router.dispatch.entry import Entry
from router.dispatch.holds import HeldKey, HeldScope, Hold, Holds, hold_key
from router.dispatch.ledger import Ledger
from router.dispatch.queue import Queue
from router.envelope import Envelope
from router.journal.contract import Journal, Parked

KEYS_MAX = 10_000
"""Held keys remembered; with more the lane stops reading, so that memory stays bounded."""
CHUNK = 100
KEYS_CROWDED = KEYS_MAX // 2
"""With so many, dead letters aren't given back any faster."""
LOADED_MAX = 2000
"""Parked events on their way to deliver() at once; so many bytes in the queue that more of them must wait."""
LOADED_MAX_BYTES = 16 << 20


class Parking:
    """Keeps the holds in step with the parked references that the ledger writes."""

    def __init__(
        self,
        lane: str,
        scope: Callable[[Envelope], str],
        journal: Journal,
        ledger: Ledger,
        clock: Clock,
        mark: Callable[[Envelope], Envelope] | None = None,
    ) -> None:
        """mark: what a replay changes in each event."""
        self.holds = Holds()
        self._scope = scope
        self._lane = lane
        self._journal = journal
        self._ledger = ledger
        self._clock = clock
        self._loaded = 0
        self._mark_envelope = mark

    @property
    def crowded(self) -> bool:
        """Whether so many keys are held that those who can wait should."""
        return len(self.holds.keys) >= KEYS_CROWDED

    @property
    def full(self) -> bool:
        """So many keys are held that nothing new may be read."""
        return len(self.holds.keys) >= KEYS_MAX

    async def restore(self, max_delay: float) -> None:
        """Take up what is parked. No due time is further away than max_delay, whatever the wall clock did meanwhile."""
        now, wall = self._clock.monotonic(), self._clock.wall()
        for head in await self._journal.parked_heads(self._lane, limit=1 << 31):
            wait = min(max(0.0, head.head.due_ms / 1000 - wall), max_delay)
            self.holds.keys[head.head.order_key] = HeldKey(count=head.count)
            self.holds.set_due(head.head.order_key, now + wait)
        for scope, count in (await self._journal.parked_scopes(self._lane)).items():
            self.holds.scopes[scope] = HeldScope(count=count, due=now)

    # From the queue into the journal

    def divert(self, entry: Entry) -> bool:
        """Keep back an event that may not go now: True when it is parked, or left parked. Pass the others."""
        if entry.parked is not None:
            return self._divert_loaded(entry, entry.parked)
        where = self.holds.where(entry)
        if where is None:
            return False
        if where:
            self.park_in_scope(entry, where)
        else:
            self._follow(entry)
        return True

    def _divert_loaded(self, entry: Entry, parked: Parked) -> bool:
        hold = self.holds.of(parked)
        if hold.failed and not (isinstance(hold, HeldScope) and hold.probing):
            self.ended(parked, gone=False)
            return True
        if parked.scope and hold_key(entry) in self.holds.keys:
            self.ended(parked, gone=True)
            self._follow(entry)
            return True
        return False

    def _follow(self, entry: Entry) -> None:
        key = hold_key(entry)
        self.holds.keys[key].count += 1
        self._ledger.park(Parked(entry.position, key, ""))

    def park_in_scope(self, entry: Entry, scope: str) -> None:
        """It waits until the scope is there again."""
        self.holds.scopes[scope].count += 1
        self._ledger.park(Parked(entry.position, hold_key(entry), scope))

    def park_for_retry(self, entry: Entry, parked: Parked, wait: float, mark: int) -> None:
        """It failed and is the first of its key: try it again in `wait` seconds. `parked` has the tries counted."""
        key = hold_key(entry)
        if entry.parked is not None and entry.parked.scope:
            self.ended(entry.parked, gone=True)
        if entry.parked is None or entry.parked.scope:
            self.holds.keys.setdefault(key, HeldKey()).count += 1
        else:
            self.holds.keys[key].loaded -= 1
            self._loaded -= 1
        hold = self.holds.keys[key]
        hold.mark = mark
        hold.failed = True
        due_ms = int((self._clock.wall() + wait) * 1000)
        self._ledger.park(replace(parked, order_key=key, scope="", due_ms=due_ms))
        self.holds.set_due(key, self._clock.monotonic() + wait)

    def reserve(self, keys: Iterable[str]) -> None:
        """Events of these keys are about to be parked by somebody else: what comes later is to wait behind them."""
        for key in keys:
            self.holds.keys.setdefault(key, HeldKey(due=inf)).count += 1

    def revived(self, keys: Iterable[str]) -> None:
        """Reserved ones that are parked now."""
        now = self._clock.monotonic()
        for key in keys:
            hold = self.holds.keys.setdefault(key, HeldKey(count=1, due=inf))
            if hold.loaded:  # later ones may be on their way: they are loaded anew, in order
                hold.failed, hold.due = True, now
            elif hold.due == inf:
                self.holds.set_due(key, now)

    def missing(self, keys: Iterable[str]) -> None:
        """Reserved ones that are not parked after all."""
        for key in keys:
            hold = self.holds.keys.get(key)
            if hold is None:
                continue
            hold.count -= 1
            if hold.count <= 0 and not hold.loaded:
                del self.holds.keys[key]
            elif hold.due == inf and not hold.loaded:
                self.holds.set_due(key, self._clock.monotonic())

    def mark(self, entry: Entry) -> int | None:
        """The lane's count of deliveries when this event failed last; None when it has not failed in this run."""
        hold = self.holds.keys.get(hold_key(entry))
        return hold.mark if hold is not None and entry.parked is not None and not entry.parked.scope else None

    # Back from the journal

    def ended(self, parked: Parked, *, gone: bool) -> None:
        """A loaded event is no longer on its way; gone: and not parked any more either."""
        hold = self.holds.of(parked)
        hold.loaded -= 1
        self._loaded -= 1
        if gone:
            hold.count -= 1
            self._ledger.unpark(parked.position)
        now = self._clock.monotonic()
        if hold.loaded or self.holds.release_empty(parked, now):
            return
        due = hold.due if hold.failed else now
        if parked.scope:
            hold.due = due
        else:
            self.holds.set_due(parked.order_key, due)

    def reloaded(self, hold: Hold) -> None:
        """An event whose end was told counts as on its way again, for another end."""
        hold.loaded += 1
        self._loaded += 1

    async def load_due(self, queue: Queue) -> None:
        """Put the parked events that are due into the queue: the first of a key or scope, all of them once it got through."""
        if not self.holds:
            return
        await self.load_scopes(queue)
        now = self._clock.monotonic()
        while self._may_load(queue) and (key := self.holds.due_key(now)) is not None:
            await self._load_key(key, queue)

    async def load_scopes(self, queue: Queue) -> None:
        """The same for scopes alone."""
        for scope in self.holds.due_scopes(self._clock.monotonic()):
            if self._may_load(queue):
                await self._load_scope(scope, queue)

    def next_due(self, queue: Queue) -> float | None:
        """Seconds until `load_due` has something to do, None when it waits for something else."""
        if not self.holds or not self._may_load(queue):
            return None
        return self.holds.next_due(self._clock.monotonic())

    def _may_load(self, queue: Queue) -> bool:
        return self._loaded < LOADED_MAX and queue.bytes < LOADED_MAX_BYTES

    async def load_earliest(self, queue: Queue) -> None:
        """Put the parked event that is due first in front of the queue, due or not, while there is room."""
        key = self.holds.earliest_key() if self._may_load(queue) else None
        if key is not None:
            await self._load_key(key, queue, in_front=True)

    async def _load_key(self, key: str, queue: Queue, *, in_front: bool = False) -> None:
        hold = self.holds.keys[key]
        rows = await self._rows(order_key=key, limit=1 if hold.failed else CHUNK)
        hold.failed = False
        hold.loaded = len(rows)
        self._loaded += len(rows)
        entries = [self._entry(parked, envelope) for parked, envelope in rows]
        if in_front:
            queue.put_back(entries)
        else:
            for entry in entries:
                queue.put(entry)
        if not rows:
            del self.holds.keys[key]

    async def _load_scope(self, scope: str, queue: Queue) -> None:
        hold = self.holds.scopes[scope]
        known = hold.count
        rows = await self._rows(scope=scope, limit=CHUNK)
        if not rows:
            hold.count -= known  # what was parked meanwhile is loaded next
            if not hold.count:
                self.holds.half_open(scope, self._clock.monotonic())
            return
        hold.probing, hold.helped, hold.through, hold.suspects = hold.failed, False, False, []
        all_seen = len(rows) < CHUNK
        if hold.probing:
            rows = _two_subjects(rows, hold.tries)
        hold.failed = False
        hold.loaded = len(rows)
        self._loaded += len(rows)
        for parked, envelope in rows:
            entry = self._entry(parked, envelope)
            entry.alone = hold.probing
            queue.put(entry)
        if hold.probing and len(rows) == 1 and all_seen:
            await self._load_helper(hold, rows[0][0].order_key, queue)

    async def _load_helper(self, hold: HeldScope, tried: str, queue: Queue) -> None:
        """Where all that is parked for a scope is of one subject, a held key that waits for the scope gives the other."""
        key = next((key for key in hold.waiting if key in self.holds.keys and key != tried), None)
        if key is not None:
            hold.waiting.remove(key)
            hold.helped = True
            self.holds.keys[key].failed = True  # so that its first event comes alone
            await self._load_key(key, queue)

    async def _rows(
        self, *, limit: int, order_key: str | None = None, scope: str | None = None
    ) -> list[tuple[Parked, Envelope]]:
        self._ledger.flush()
        await self._ledger.durable()
        return list(await self._journal.read_parked(self._lane, order_key=order_key, scope=scope, limit=limit))

    def _entry(self, parked: Parked, envelope: Envelope) -> Entry:
        key = None if parked.order_key == f"#{parked.position}" else parked.order_key
        given = envelope if self._mark_envelope is None else self._mark_envelope(envelope)
        return Entry(parked.position, given, key, self._scope(envelope), parked)


def _two_subjects(rows: list[tuple[Parked, Envelope]], tries: int) -> list[tuple[Parked, Envelope]]:
    """What a probe of a scope needs: its first event, and the first one of another subject, a different one each time."""
    firsts: dict[str, tuple[Parked, Envelope]] = {}
    for row in rows:
        firsts.setdefault(row[0].order_key, row)
    others = list(firsts.values())[1:]
    return rows[:1] + ([others[tries % len(others)]] if others else [])
