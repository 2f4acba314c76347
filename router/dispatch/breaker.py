"""Whether so many deliveries fail that the sink counts as unavailable, though each failed by itself."""

from collections.abc import Callable

from sinks.settings import BreakerSettings

BUCKETS = 20
"""Parts of the window. It moves on part by part, so what is looked at is between 19 and 20 of them old."""
MISSES_MAX = 16
"""So many failures in a row, none that got through between, and it opens whatever the share is."""


class Breaker:
    """Opens by itself, and is closed by who has probed the sink: `reset`. Each call costs the same, whatever came before.

    now: monotonic seconds. misses: failures in a row, none that got through between.
    """

    __slots__ = ("_at", "_failed", "_made", "_now", "_seconds", "_settings", "_sums", "misses", "why")

    def __init__(self, settings: BreakerSettings, now: Callable[[], float]) -> None:
        self._settings = settings
        self._now = now
        self._seconds = settings.window_seconds / BUCKETS
        self.reset()

    def reset(self) -> None:
        """Close it, and look only at what comes from now on."""
        self._made, self._failed, self._sums = [0] * BUCKETS, [0] * BUCKETS, [0, 0]
        self._at = self._part()
        self.misses = 0
        self.why = ""

    @property
    def open(self) -> bool:
        """Whether it has opened, and was not reset since. `why` says in words what opened it."""
        return bool(self.why)

    def record(self, delivered: int, failed: int, before: int = 0) -> None:
        """So many were delivered, and after them so many failed; before: so many failed before the last that got through.

        A Rejected counts as delivered here: who refuses an event is there. Unavailable counts as nothing: it says itself
        what it means.
        """
        at = self._moved_on() % BUCKETS
        made = delivered + before + failed
        self._made[at] += made
        self._failed[at] += before + failed
        self._sums[0] += made
        self._sums[1] += before + failed
        self.misses = failed if delivered else self.misses + failed
        self.why = self.why or self._opens()

    def _opens(self) -> str:
        if self.misses >= MISSES_MAX:
            return f"{self.misses} deliveries failed, none got through between"
        (made, failed), settings = self._sums, self._settings
        if made < settings.min_deliveries or failed / made < settings.failure_rate:
            return ""
        return f"{failed} of {made} deliveries failed within {settings.window_seconds:g} s"

    def _part(self) -> int:
        return int(self._now() // self._seconds)

    def _moved_on(self) -> int:
        """The number of the present part of the window; those that are over are emptied."""
        part = self._part()
        for over in range(max(self._at + 1, part - BUCKETS + 1), part + 1):
            at = over % BUCKETS
            self._sums[0] -= self._made[at]
            self._sums[1] -= self._failed[at]
            self._made[at] = self._failed[at] = 0
        self._at = part
        return part
