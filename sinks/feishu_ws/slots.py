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

    One whose last answer is overdue is passed over while there are others: it may be frozen, or gone. One that is kept for a
    single event is offered to nobody else.

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

    def owe(self, line: Line, *, owes: bool) -> None:
        """It let an answer become overdue, or it has answered again."""
        if line.owes is not owes:
            line.owes = owes
            self._review()

    async def choose(self) -> Line | None:
        """One at random of those with a free slot, as Feishu does; waits for one a while. None: there was none."""
        until = self._clock.monotonic() + WAIT_SECONDS
        while self.lines:
            if self._open:
                return random.choice(self._open)  # noqa: S311 - not a secret
            left = until - self._clock.monotonic()
            if left <= 0:
                break
            await self._turn(left)
        return None

    async def keep(self, line: Line) -> bool:
        """Have a connection with a free slot to oneself, once it has answered everything else, until it is given back; False
        when it doesn't, or has ended.
        """
        line.kept = True
        self.count(line)
        if not line.unanswered:
            return True
        line.emptied = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait([line.emptied], timeout=WAIT_SECONDS)
        except asyncio.CancelledError:
            self.give_back(line)
            raise
        if line.unanswered or not line.ready:
            self.give_back(line)
            return False
        return True

    def give_back(self, line: Line) -> None:
        """Offer it to all again; the end of the push says that there is more."""
        line.kept = False
        line.emptied = None
        self.count(line)

    def count(self, line: Line) -> int:
        """Have its free slots offered, and those only; how many more than before. Called whenever one is taken or freed."""
        usable = 0 if line.kept or (line.owes and not self._all_owe) else line.free
        more = usable - line.offered
        line.offered = usable
        self.free += more
        if usable and line.at < 0:
            self._offer(line)
        elif not usable and line.at >= 0:
            self._withdraw(line)
        for _ in range(more):
            self._wake()
        if line.emptied is not None and not line.unanswered and not line.emptied.done():
            line.emptied.set_result(None)
        return more

    def _review(self) -> None:
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
