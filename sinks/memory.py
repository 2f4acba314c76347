"""Keeps envelopes in a list: for tests, and for programs that embed the router."""

from collections.abc import Sequence

from pydantic import Field

from router.envelope import Envelope
from sinks.contract import DELIVERED, Outcome, SinkType, Unavailable
from sinks.settings import SinkSettings


class MemorySettings(SinkSettings):
    """Settings of a memory sink."""

    capacity: int = Field(default=100_000, ge=1, description="Events kept at most; then the sink takes no more.")


class MemorySink:
    """`envelopes` is everything delivered, in order. Take from it, or `clear()`, to make room."""

    max_events = 1000
    max_bytes = 16 << 20
    concurrency = 1
    keeps_order = True

    def __init__(self, capacity: int = 100_000) -> None:
        self.envelopes: list[Envelope] = []
        self._capacity = capacity
        self._open = False

    async def open(self) -> None:
        """Take deliveries."""
        self._open = True

    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        """Append what there is room for; the rest is Unavailable, so that nothing is dropped unseen."""
        if not self._open:
            return [Unavailable("closed", "the memory sink is not open")] * len(batch)
        taken = batch[: max(0, self._capacity - len(self.envelopes))]
        self.envelopes.extend(taken)
        full = Unavailable("full", f"{self._capacity} events are kept in memory, and no more")
        return [DELIVERED] * len(taken) + [full] * (len(batch) - len(taken))

    async def close(self) -> None:
        """Take no more; what is there stays readable."""
        self._open = False

    def scope(self, envelope: Envelope) -> str:  # noqa: ARG002 - the contract's signature
        """It has no parts."""
        return ""


SINK = SinkType(
    settings=MemorySettings,
    build=lambda _name, settings: MemorySink(settings.capacity),
    describe=lambda settings: f"memory, up to {settings.capacity} events",
)
