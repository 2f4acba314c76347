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
    """mark: the lane's count of deliveries when its first event failed last."""

    mark: int = 0


@dataclass(slots=True)
class HeldScope(Hold):
    """tries: failed probes in a row; suspects: probes that found it unavailable while another is still under way;
    half_open: nothing is parked for it any more, so whatever comes next is the probe.
    """

    tries: int = 0
    half_open: bool = False
    suspects: list[Entry] = field(default_factory=list)


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

    def due_keys(self, now: float, limit: int) -> list[str]:
        """Keys whose front may be loaded now, earliest due first. One of an unavailable scope waits for the scope."""
        keys: list[str] = []
        while len(keys) < limit and (key := self._front()) is not None and self._timers[0][0] <= now:
            self._pop(key)
            scope = self.scopes.get(_scope_of(key))
            if scope is None or scope.half_open:
                keys.append(key)
            else:
                self.set_due(key, max(scope.due, now) + 1.0)
        return keys

    def due_scopes(self, now: float) -> list[str]:
        """Scopes whose front may be loaded now."""
        return [
            name for name, hold in self.scopes.items() if not hold.loaded and not hold.half_open and hold.due <= now
        ]

    def earliest_key(self) -> str | None:
        """Take out the held key that is due first, whether it is due or not."""
        key = self._front()
        if key is not None:
            self._pop(key)
        return key

    def where(self, entry: Entry) -> str | None:
        """Where an event that comes from the journal must be parked: None nowhere, "" behind its key, else a scope."""
        if hold_key(entry) in self.keys:
            return ""
        scope = self.scopes.get(entry.scope) if entry.scope else None
        return entry.scope if scope is not None and not scope.half_open else None

    def release_empty(self, parked: Parked) -> bool:
        """Forget the hold of a parked event that ended, when it was the last one."""
        holds: dict[str, HeldKey] | dict[str, HeldScope] = self.scopes if parked.scope else self.keys
        name = parked.scope or parked.order_key
        hold = holds.get(name)
        if hold is None or hold.count or hold.loaded:
            return False
        del holds[name]
        return True

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
