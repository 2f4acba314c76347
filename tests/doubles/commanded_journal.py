"""A small journal in memory whose commits happen at once or when the test says so."""

import asyncio
from typing import Any

from router.envelope import Envelope
from router.journal.contract import DeadLetter, JournalError, Verdict


class CommandedJournal:
    """auto: commit at once; else `commit()` or `fail()` settles what was appended. refuse: raised by every append."""

    def __init__(self, *, auto: bool = True) -> None:
        self.auto = auto
        self.refuse: JournalError | None = None
        self.events: list[Envelope] = []
        self.letters: list[DeadLetter] = []
        self.appended = 0
        self._pending: list[tuple[asyncio.Future[Any], Envelope | DeadLetter]] = []
        self._more = asyncio.Event()

    def append(self, envelope: Envelope) -> asyncio.Future[Verdict]:
        return self._take(envelope)

    def quarantine(self, letter: DeadLetter) -> asyncio.Future[None]:
        return self._take(letter)

    async def wait_appended(self, count: int) -> None:
        async with asyncio.timeout(5):
            while self.appended < count:
                self._more.clear()
                await self._more.wait()

    def commit(self) -> None:
        for future, item in self._take_pending():
            result = self._keep(item)
            if not future.done():
                future.set_result(result)

    def fail(self, error: BaseException) -> None:
        for future, _ in self._take_pending():
            if not future.done():
                future.set_exception(error)

    def _take(self, item: Envelope | DeadLetter) -> asyncio.Future[Any]:
        if self.refuse is not None:
            raise self.refuse
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending.append((future, item))
        self.appended += 1
        self._more.set()
        if self.auto:
            self.commit()
        return future

    def _take_pending(self) -> list[tuple[asyncio.Future[Any], Envelope | DeadLetter]]:
        pending, self._pending = self._pending, []
        return pending

    def _keep(self, item: Envelope | DeadLetter) -> Verdict | None:
        if isinstance(item, DeadLetter):
            if item.event_id not in {letter.event_id for letter in self.letters}:
                self.letters.append(item)
            return None
        known = {(event.source, event.type, event.id) for event in self.events}
        if (item.source, item.type, item.id) in known:
            return Verdict.DUPLICATE
        self.events.append(item)
        return Verdict.STORED
