"""Events that are not durable in time are given up: the peer sends them again, and would anyway."""

import asyncio
from collections import deque
from collections.abc import Callable

from router.ingress.replies import LATE, Reply


class Budgets:
    """Of one connection. All have the same budget, so they fall due in the order in which they came: one timer is enough."""

    def __init__(self, seconds: float, now: Callable[[], float]) -> None:
        self._seconds = seconds
        self._now = now
        self._due: deque[tuple[float, asyncio.Future[Reply]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, begun: float, taken: "asyncio.Future[Reply]") -> None:
        """It must be done within the budget from `begun` on, or is given LATE."""
        while self._due and self._due[0][1].done():
            self._due.popleft()
        self._due.append((begun + self._seconds, taken))
        if self._timer is None:
            self._arm(self._seconds)

    def close(self) -> None:
        """Give up nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        self._due.clear()

    def _arm(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = self._now()
        while self._due and (self._due[0][0] <= now or self._due[0][1].done()):
            taken = self._due.popleft()[1]
            if not taken.done():
                taken.set_result(LATE)
        if self._due:
            self._arm(self._due[0][0] - now)
