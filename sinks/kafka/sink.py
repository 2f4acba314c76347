"""The Kafka sink: a thin shell that loads the Kafka client when it is opened."""

import asyncio
import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from router.envelope import Envelope
from sinks.contract import Outcome, Unavailable
from sinks.kafka.encode import topic_of
from sinks.kafka.settings import KafkaSettings

if TYPE_CHECKING:
    from sinks.kafka.delivery import Delivery

CLOSED = Unavailable("closed", "the sink is not open")


class KafkaSink:
    """Writes each event to the topic of its type, acknowledged by all in-sync replicas.

    keeps_order: events of one order key in one topic are written in the batch's order. Several deliver() may run at once,
    so that one which waits for a sick topic doesn't hold up the others.
    """

    max_events = 2000
    max_bytes = 4 << 20
    keeps_order = True

    def __init__(self, settings: KafkaSettings):
        self.concurrency = settings.concurrency
        self._settings = settings
        self._delivery: Delivery | None = None
        self.scope = topic_of(settings.topic)

    async def open(self) -> None:
        """Connect. Raises SinkNotReadyError, which says what is wrong."""
        await self.close()
        # The client takes 0.1-0.2 s to import: not on the event loop, where pushes are waiting for their answers.
        connect, delivery = await asyncio.to_thread(_load)
        shared = await asyncio.to_thread(connect.options, self._settings)
        opened = delivery.Delivery(self._settings, self.scope, shared)
        try:
            await opened.start()
        except BaseException:
            await opened.close()
            raise
        self._delivery = opened

    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        """Write the batch; one outcome per envelope."""
        if self._delivery is None:
            return [CLOSED] * len(batch)
        return await self._delivery.deliver(batch)

    async def close(self) -> None:
        """Stop the producer, within a few seconds. Idempotent."""
        delivery, self._delivery = self._delivery, None
        if delivery is not None:
            await delivery.close()


def _load() -> tuple[Any, Any]:
    return importlib.import_module("sinks.kafka.connect"), importlib.import_module("sinks.kafka.delivery")
