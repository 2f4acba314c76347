"""What a lane has to tell the journal, gathered between two settlements."""

import asyncio
import contextlib
from collections.abc import Callable

from router.dispatch.window import Window
from router.envelope import Envelope
from router.journal.contract import DeadLetter, Journal, JournalError, Parked, Settlement, Verdict


class Ledger:
    """The lane's window and everything that ended since the last flush: written together, so that it is all or nothing."""

    def __init__(self, lane: str, journal: Journal, uncopied: Callable[[], None] = lambda: None) -> None:
        """uncopied: called for each copy of a dead letter for which the journal has no room."""
        self.window = Window(0)
        self._lane = lane
        self._journal = journal
        self._uncopied = uncopied
        self._parked: dict[int, Parked] = {}
        self._unparked: set[int] = set()
        self._dead: list[DeadLetter] = []
        self._copies: list[Envelope] = []
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

    def bury(self, letter: DeadLetter, copy: Envelope | None = None) -> None:
        """A dead letter; copy: what a sink of dead letters gets of it."""
        if letter.position is not None:
            self.window.settle(letter.position)
        self._dead.append(letter)
        if copy is not None:
            self._copies.append(copy)

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
        self._append_copies()  # in the commit that has the letters, or just before it
        with contextlib.suppress(JournalError):  # a failed journal ends the lane at its next turn
            self._last = self._journal.settle(self._lane, settlement)
            self._last.add_done_callback(_observed)

    def _append_copies(self) -> None:
        copies, self._copies = self._copies, []
        for copy in copies:
            try:
                self._journal.append(copy).add_done_callback(self._copied)
            except JournalError:
                self._uncopied()

    def _copied(self, future: asyncio.Future[Verdict]) -> None:
        if not future.cancelled() and future.exception() is not None:
            self._uncopied()

    async def durable(self) -> None:
        """Return when all that was flushed is in the journal."""
        if self._last is not None:
            with contextlib.suppress(JournalError):
                await asyncio.shield(self._last)


def _observed(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()
