"""How many events may go now: the RATE setting, and the pace of a replay."""

import sys
from collections.abc import Callable
from math import inf

WAIT_MIN_SECONDS = 0.001
"""Nobody waits for less, so that rounding never makes anybody wait for nothing again and again."""


class Rate:
    """A bucket of as many events as may go in a second (one at least), filled evenly.

    per_second: 0 (or infinite) means no limit; now: monotonic seconds.
    """

    __slots__ = ("_at", "_most", "_now", "_per_second", "_tokens")

    def __init__(self, per_second: float, now: Callable[[], float]) -> None:
        self._per_second = per_second if per_second < inf else 0.0
        self._now = now
        self._most = max(1.0, self._per_second)
        self._tokens = self._most
        self._at = now()

    def allowed(self) -> int:
        """Events that may go now, at most."""
        if not self._per_second:
            return sys.maxsize
        self._fill()
        return max(0, int(self._tokens))

    def spend(self, count: int) -> None:
        """So many go. It may be more than is allowed: then the next ones wait for that too."""
        if self._per_second:
            self._fill()
            self._tokens -= count

    def wait(self) -> float:
        """Seconds until the next event may go, 0.0 when one may go now."""
        if not self._per_second:
            return 0.0
        self._fill()
        return 0.0 if self._tokens >= 1 else max(WAIT_MIN_SECONDS, (1 - self._tokens) / self._per_second)

    def _fill(self) -> None:
        now = self._now()
        self._tokens = min(self._most, self._tokens + (now - self._at) * self._per_second)
        self._at = now
