"""What is parked, as far as the lane must remember it: one small record per held key or scope, never an event.

A held key waits for the retry of its first event; its followers are parked behind it. A held scope is unavailable; its
events are parked until a probe gets through. Either is released when all its parked events are gone.
"""

from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf

from router.dispatch.entry import Entry
from router.journal.contract import Parked


@dataclass(slots=True)
class Hold:
    """count: parked events; loaded: those of them that are on their way to deliver() now; due: when to load, monotonic.

    failed: the one at the front failed again, so what is loaded behind it is stale and will be loaded anew.
    """

    count: int = 0
    loaded: int = 0
    due: float = 0.0
    failed: bool = True


@dataclass(slots=True)
class HeldKey(Hold):
    """mark: the lane's count of deliveries when its first event failed last.

    blamed: it found its scope unavailable, and then another event of the scope got through.
    """

    mark: int = 0
    blamed: bool = False


@dataclass(slots=True)
class HeldScope(Hold):
    """tries: failed probes in a row; half_open: nothing is parked for it any more, so whatever comes next is the probe.

    probing: what is loaded are probes, one of each of two subjects; through: one of them was delivered;
    helped: the other one is of a held key;
    suspects: those that found it unavailable while the other is still under way.
    waiting: held keys that are due and wait for the scope; accusers: those whose first event found it unavailable.
    """

    tries: int = 0
    half_open: bool = False
    probing: bool = False
    helped: bool = False
    through: bool = False
    suspects: list[Entry] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    accusers: set[str] = field(default_factory=set)


def hold_key(entry: Entry) -> str:
    """The key under which the event is parked; one of its own when no order is asked for."""
    return entry.key if entry.key is not None else f"#{entry.position}"


class Holds:
    """All held keys and scopes of one lane."""

    def __init__(self) -> None:
        self.keys: dict[str, HeldKey] = {}
        self.scopes: dict[str, HeldScope] = {}
        self._timers: list[tuple[float, str]] = []
        """Keys by due time; entries whose hold has changed since are passed over."""

    def __bool__(self) -> bool:
        return bool(self.keys or self.scopes)

    @property
    def parked(self) -> int:
        """Parked events altogether."""
        return sum(hold.count for hold in self._all())

    def of(self, parked: Parked) -> Hold:
        """The hold that a parked event belongs to."""
        return self.scopes[parked.scope] if parked.scope else self.keys[parked.order_key]

    def set_due(self, key: str, due: float) -> None:
        """The key's first event is tried again at `due` (monotonic)."""
        self.keys[key].due = due
        heappush(self._timers, (due, key))

    def next_due(self, now: float) -> float | None:
        """Seconds until something is due, None when nothing waits for the time."""
        waits = [hold.due for hold in self.scopes.values() if not hold.loaded and not hold.half_open]
        front = self._front()
        if front is not None:
            waits.append(self._timers[0][0])
        return max(0.0, min(waits) - now) if waits else None

    def due_key(self, now: float) -> str | None:
        """Take out the key that is due first, if one is due. One of an unavailable scope waits for the scope."""
        while (key := self._front()) is not None and self._timers[0][0] <= now:
            self._pop(key)
            scope = self._closed(key)
            if scope is None:
                return key
            scope.waiting.append(key)
        return None

    def due_scopes(self, now: float) -> list[str]:
        """Scopes whose front may be loaded now."""
        return [
            name for name, hold in self.scopes.items() if not hold.loaded and not hold.half_open and hold.due <= now
        ]

    def earliest_key(self) -> str | None:
        """Take out the held key that is due first, whether it is due or not."""
        return self.due_key(inf)

    def release_scope(self, name: str, now: float) -> None:
        """The scope is no longer held: what waited for it is due."""
        self._wake(self.scopes.pop(name), now)

    def cleared(self, scope: HeldScope, by: Entry) -> None:
        """An event of the scope got through: where others found it unavailable, it was them."""
        for key in scope.accusers - {hold_key(by)}:
            if key in self.keys:
                self.keys[key].blamed = True
        scope.accusers.clear()

    def half_open(self, name: str, now: float) -> None:
        """Nothing is parked for the scope: what comes next is its probe."""
        self.scopes[name].half_open = True
        self._wake(self.scopes[name], now)

    def where(self, entry: Entry) -> str | None:
        """Where an event that comes from the journal must be parked: None nowhere, "" behind its key, else a scope."""
        if hold_key(entry) in self.keys:
            return ""
        scope = self.scopes.get(entry.scope) if entry.scope else None
        return entry.scope if scope is not None and not scope.half_open else None

    def release_empty(self, parked: Parked, now: float) -> bool:
        """Forget the hold of a parked event that ended, when it was the last one."""
        hold = self.of(parked)
        if hold.count or hold.loaded:
            return False
        if parked.scope:
            self.release_scope(parked.scope, now)
        else:
            del self.keys[parked.order_key]
        return True

    def _wake(self, scope: HeldScope, now: float) -> None:
        waiting, scope.waiting = scope.waiting, []
        for key in waiting:
            if key in self.keys:
                self.set_due(key, now)

    def _closed(self, key: str) -> HeldScope | None:
        scope = self.scopes.get(_scope_of(key))
        return None if scope is None or scope.half_open else scope

    def _pop(self, key: str) -> None:
        heappop(self._timers)
        self.keys[key].due = inf  # so that an older timer of it counts no more

    def _front(self) -> str | None:
        while self._timers:
            due, key = self._timers[0]
            hold = self.keys.get(key)
            if hold is not None and hold.due == due and not hold.loaded:
                return key
            heappop(self._timers)
        return None

    def _all(self) -> list[Hold]:
        return [*self.keys.values(), *self.scopes.values()]


def _scope_of(key: str) -> str:
    return key.split("\n", 1)[0] if "\n" in key else ""
