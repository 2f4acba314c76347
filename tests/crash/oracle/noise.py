"""How much of the time the machine gave to nobody here: a control process that does nothing but echo is asked all along."""

import asyncio
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

PAUSE = 0.02
USUAL = 0.005
"""An echo that takes no longer counts as no delay."""


class Noise:
    """`run` asks until it is cancelled. The others say how much longer echoes took than they usually do."""

    def __init__(self) -> None:
        self._ends: list[float] = []
        self._begins: list[float] = []

    async def run(self) -> None:
        """Ask again and again, through this very event loop: what it is late by itself counts, too."""
        control = await asyncio.create_subprocess_exec(
            "cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert control.stdin is not None
        assert control.stdout is not None
        try:
            while True:
                begun = time.time()
                await asyncio.sleep(PAUSE)
                control.stdin.write(b"?\n")
                await control.stdout.readline()
                self._begins.append(begun + PAUSE)
                self._ends.append(time.time())
        finally:
            control.kill()
            await control.wait()

    def stolen(self, begun: float, ended: float) -> float:
        """Seconds of delay of the echoes within that time, all together."""
        return sum(self._delays(begun, ended))

    def longest(self, begun: float, ended: float) -> float:
        """The longest delay of an echo within that time."""
        return max(self._delays(begun, ended), default=0.0)

    def _delays(self, begun: float, ended: float) -> Iterator[float]:
        for at in range(bisect_left(self._ends, begun), bisect_right(self._begins, ended)):
            yield max(0.0, self._ends[at] - self._begins[at] - USUAL)
