"""A clock that runs faster than the real one, for what waits for minutes beside real sockets."""

import asyncio
import time


class HurriedClock:
    """Every second of it lasts 1/`times` real ones."""

    def __init__(self, times: float = 100.0) -> None:
        self._times = times
        self._begun = time.monotonic()

    def wall(self) -> float:
        return 1_800_000_000.0 + self.monotonic()

    def monotonic(self) -> float:
        return (time.monotonic() - self._begun) * self._times

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._times)
