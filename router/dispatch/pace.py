"""How large a lane's batches are, and how soon one follows another."""

from collections.abc import Callable

PACE_SECONDS = 0.05
LIVE_EVENTS = 300
LIVE_SECONDS = 0.2


class Pace:
    """A sink that takes batches gets few full ones, not many of one event; one that takes single events is not held up."""

    def __init__(self, max_events: int, now: Callable[[], float]) -> None:
        self._max_events = max_events
        self._now = now
        self._head = 0
        self._live_until = 0.0
        self._next = 0.0

    def most(self, head: int) -> int:
        """Events of the next batch, at most. A batch is one piece of Python that nobody interrupts: short while pushes come."""
        if head != self._head:
            self._head = head
            self._live_until = self._now() + LIVE_SECONDS
        return min(self._max_events, LIVE_EVENTS) if self._now() < self._live_until else self._max_events

    def holds(self, queued: int, most: int) -> bool:
        """Whether the next batch should wait for more events to join."""
        return self._max_events > 1 and 0 < queued < most and self._now() < self._next

    def launched(self) -> None:
        """A batch began."""
        self._next = self._now() + PACE_SECONDS

    @property
    def left(self) -> float:
        """Seconds until the next batch need not wait."""
        return max(0.0, self._next - self._now())
