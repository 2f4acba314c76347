"""A sink whose every answer is a function: for lanes, with order and concurrency recorded."""

import asyncio
from collections.abc import Callable, Sequence

from router.envelope import Envelope
from sinks.contract import DELIVERED, FOLLOWS, Delivered, Outcome, SinkNotReadyError, order_key


class ScriptedSink:
    """answer(envelope) decides; a raise in it comes out of deliver(). delivered: what got through, in order."""

    def __init__(
        self,
        answer: Callable[[Envelope], Outcome] = lambda _: DELIVERED,
        *,
        max_events: int = 10,
        concurrency: int = 1,
        keeps_order: bool = True,
        seconds: Callable[[], float] = lambda: 0.01,
        scope: Callable[[Envelope], str] = lambda _: "",
        ordering: str = "key",
    ) -> None:
        self.ordering = ordering
        self.answer = answer
        self.max_events = max_events
        self.max_bytes = 1 << 20
        self.concurrency = concurrency
        self.keeps_order = keeps_order
        self.delivered: list[str] = []
        self.attempted: list[str] = []
        self.running = 0
        self.peak = 0
        self.refuse_open = 0
        self._seconds = seconds
        self._scope = scope

    async def open(self) -> None:
        if self.refuse_open:
            self.refuse_open -= 1
            raise SinkNotReadyError("nobody there")

    async def close(self) -> None:
        return None

    def scope(self, envelope: Envelope) -> str:
        return self._scope(envelope)

    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        self.running += 1
        self.peak = max(self.peak, self.running)
        assert self.running <= self.concurrency, "more deliver() at once than the sink allows"
        assert len(batch) <= self.max_events
        keys = [(self.scope(envelope), order_key(self.ordering, envelope)) for envelope in batch]
        assert self.keeps_order or self.ordering == "none" or len(keys) == len(set(keys))
        try:
            await asyncio.sleep(self._seconds())
            return self._outcomes(batch)
        finally:
            self.running -= 1

    def _outcomes(self, batch: Sequence[Envelope]) -> list[Outcome]:
        failed: set[tuple[str, str | None]] = set()
        outcomes: list[Outcome] = []
        for envelope in batch:
            key = (self.scope(envelope), order_key(self.ordering, envelope))
            if self.keeps_order and key[1] is not None and key in failed:
                outcomes.append(FOLLOWS)
                continue
            self.attempted.append(envelope.id)
            outcome = self.answer(envelope)
            if isinstance(outcome, Delivered):
                self.delivered.append(envelope.id)
            else:
                failed.add(key)
            outcomes.append(outcome)
        return outcomes
