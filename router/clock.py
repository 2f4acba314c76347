"""Time, owned by whoever builds the parts, so that tests can step it."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Two readings and one wait; everything timed in the router goes through it."""

    def wall(self) -> float:
        """Unix time in seconds: for what is stored or shown."""

    def monotonic(self) -> float:
        """Seconds that never step back: for delays and deadlines."""

    async def sleep(self, seconds: float) -> None:
        """Wait that long on `monotonic`."""


class SystemClock:
    """The machine's clock."""

    wall = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(seconds)
