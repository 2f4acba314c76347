"""What a lane has to tell the journal, gathered between two settlements."""

import asyncio
import contextlib

from router.dispatch.window import Window
from router.journal.contract import DeadLetter, Journal, JournalError, Parked, Settlement


class Ledger:
    """The lane's window and everything that ended since the last flush: written together, so that it is all or nothing."""

    def __init__(self, lane: str, journal: Journal) -> None:
        self.window = Window(0)
        self._lane = lane
        self._journal = journal
        self._parked: dict[int, Parked] = {}
        self._unparked: set[int] = set()
        self._dead: list[DeadLetter] = []
        self._told = (0, 0)
        self._last: asyncio.Future[None] | None = None

    async def restore(self) -> None:
        """Take up the lane's cursor, made at the head when there is none."""
        state = await self._journal.register(self._lane)
        self.window = Window(state.position, state.settled)
        self._told = (state.position, 0)

    def settle(self, position: int) -> None:
        """Delivered."""
        self.window.settle(position)

    def park(self, parked: Parked) -> None:
        """New, or changed."""
        self.window.settle(parked.position)
        self._unparked.discard(parked.position)
        self._parked[parked.position] = parked

    def unpark(self, position: int) -> None:
        """A parked event ended."""
        self._parked.pop(position, None)
        self._unparked.add(position)

    def bury(self, letter: DeadLetter) -> None:
        """A dead letter."""
        if letter.position is not None:
            self.window.settle(letter.position)
        self._dead.append(letter)

    def flush(self) -> None:
        """Hand it to the journal, which writes it with its next commit."""
        window = self.window
        told = (window.position, window.cursor - len(window))
        if told == self._told and not (self._parked or self._unparked or self._dead):
            return
        settlement = Settlement(
            window.position, window.settled(), list(self._parked.values()), list(self._unparked), self._dead
        )
        self._told = told
        self._parked, self._unparked, self._dead = {}, set(), []
        with contextlib.suppress(JournalError):  # a failed journal ends the lane at its next turn
            self._last = self._journal.settle(self._lane, settlement)
            self._last.add_done_callback(_observed)

    async def durable(self) -> None:
        """Return when all that was flushed is in the journal."""
        if self._last is not None:
            with contextlib.suppress(JournalError):
                await asyncio.shield(self._last)


def _observed(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()
