"""Which of the connected programs may be given a frame now, and who waits for one that may."""

import asyncio
import random
from collections import deque
from collections.abc import Callable

from router.clock import Clock
from sinks.feishu_ws.line import Line

WAIT_SECONDS = 30.0
"""How long an event waits for a slot."""


class Slots:
    """A connection has so many slots, and a frame has one until it is answered.

    One that owes an answer is passed over while there are others: it may be frozen, or gone. When that frame was given up and
    its event had time to go elsewhere, it is given one at a time, until it answers. One that is kept for a single event is
    offered to nobody else.

    changed: called when more can be pushed than before; free: how many slots are offered.
    """

    def __init__(self, clock: Clock) -> None:
        self.changed: Callable[[], None] = _nobody_asks
        self.lines: list[Line] = []
        self.free = 0
        self._clock = clock
        self._open: list[Line] = []
        self._all_owe = True
        self._waiting: deque[asyncio.Future[None]] = deque()

    def ready(self, line: Line) -> None:
        """It may be given frames from now on."""
        line.ready = True
        self._review()

    def remove(self, line: Line) -> None:
        """Its connection ended."""
        self.lines.remove(line)
        line.ready = False
        self.count(line)
        self._review()
        if not self.lines:
            while self._waiting:
                self._wake()

    def doubt(self, line: Line, *, doubted: bool) -> None:
        """It let an answer become overdue, or it has answered something."""
        if doubted or line.doubted:
            line.doubted = doubted
            self._review()

    def rest(self, line: Line, *, resting: bool) -> None:
        """It begins or ends being passed over for an answer that is awaited no longer."""
        line.resting = resting
        self._review()

    async def choose(self, *, alone: bool) -> Line | None:
        """One at random of those with a free slot, as Feishu does; waits for one a while. None: there was none.

        alone: have it to oneself, once everything else that it has in hand is answered or overdue, until it is given back.
        """
        until = self._clock.monotonic() + WAIT_SECONDS
        while self.lines:
            left = until - self._clock.monotonic()
            if self._open:
                idle = [line for line in self._open if not line.in_hand] if alone else []
                line = random.choice(idle or self._open)  # noqa: S311 - not a secret
                if not alone or await self._keep(line, left):
                    return line
            elif left > 0:
                await self._turn(left)
            if left <= 0:
                break
        return None

    async def _keep(self, line: Line, seconds: float) -> bool:
        line.kept = True
        self.count(line)
        if not line.in_hand:
            return True
        line.quiet = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait([line.quiet], timeout=seconds)
        except asyncio.CancelledError:
            self.give_back(line)
            raise
        if line.in_hand or not line.ready or self._passed_over(line):
            self.give_back(line)
            return False
        return True

    def give_back(self, line: Line) -> None:
        """Whoever chose it doesn't need it any more."""
        line.kept = False
        line.quiet = None
        if self.count(line) <= 0 and line.at >= 0:
            self._wake()

    def _passed_over(self, line: Line) -> bool:
        return line.owes and not self._all_owe

    def count(self, line: Line) -> int:
        """Have its free slots offered, and those only; how many more than before. Called whenever one is taken or freed."""
        usable = 0 if line.kept or self._passed_over(line) else max(0, line.free)
        more = usable - line.offered
        line.offered = usable
        self.free += more
        if usable and line.at < 0:
            self._offer(line)
        elif not usable and line.at >= 0:
            self._withdraw(line)
        for _ in range(more):
            self._wake()
        if line.quiet is not None and not line.in_hand and not line.quiet.done():
            line.quiet.set_result(None)
        return more

    def _review(self) -> None:
        """Look anew at who owes an answer."""
        self._all_owe = all(line.owes for line in self.lines if line.ready)
        if sum([max(0, self.count(line)) for line in self.lines]):
            self.changed()

    def _offer(self, line: Line) -> None:
        line.at = len(self._open)
        self._open.append(line)

    def _withdraw(self, line: Line) -> None:
        last = self._open.pop()
        if last is not line:
            self._open[line.at] = last
            last.at = line.at
        line.at = -1

    async def _turn(self, seconds: float) -> None:
        """Wait until a slot may be free."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await asyncio.wait([waiter], timeout=seconds)
        except asyncio.CancelledError:
            if waiter.done():
                self._wake()  # it was this one's turn: the next one's, then
            raise
        finally:
            waiter.cancel()

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return


def _nobody_asks() -> None:
    """Until somebody does."""
