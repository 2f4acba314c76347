"""Posts envelopes to one URL."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from router.clock import Clock, SystemClock
from router.envelope import Envelope
from sinks.contract import Outcome, Rejected, Unavailable, order_key
from sinks.http import encode, feishu
from sinks.http.answers import Answer
from sinks.http.encode import Encoded
from sinks.http.settings import HttpSettings
from sinks.http.split import Split

if TYPE_CHECKING:
    from sinks.http.client import Client

_ENCODERS: dict[str, Callable[[Envelope], Encoded]] = {
    "structured": encode.structured,
    "binary": encode.binary,
    "data": encode.data,
}


class HttpSink:
    """One request per event and many at once; with format batch, one per batch, halved when it is refused.

    A single event's order needs no care here: the lane gives one unsettled event per key (`keeps_order` False). A batch
    is sent in order, and in one request after the other.
    """

    def __init__(self, settings: HttpSettings, clock: Clock | None = None) -> None:
        batched = settings.format == "batch"
        self.max_events = settings.max_events if batched else 1
        self.max_bytes = settings.max_bytes
        self.concurrency = min(settings.concurrency or (4 if batched else 64), settings.connections)
        self.keeps_order = batched
        self._settings = settings
        self._clock = clock or SystemClock()
        self._client: Client | None = None

    async def open(self) -> None:
        """Read certificates, connect once and hang up; a request is made with VERIFY_URL only. Raises SinkNotReadyError."""
        from sinks.http.client import Client  # noqa: PLC0415 - loads aiohttp's client
        from sinks.http.tls import context, reach  # noqa: PLC0415

        await self.close()
        tls = await asyncio.to_thread(context, self._settings)
        await reach(self._settings, tls)
        client = Client(self._settings, tls, self._clock)
        try:
            if self._settings.verify_url:
                await feishu.verify(client, self._settings)
        except BaseException:
            await client.close()
            raise
        self._client = client

    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        """One request for the batch in format batch, else one for each envelope."""
        if self._client is None:
            return [Unavailable("not_open", "open() has not succeeded yet")] * len(batch)
        if self.keeps_order:
            return await self._deliver_batch(self._client, batch)
        return [await self._deliver_one(self._client, envelope) for envelope in batch]

    async def close(self) -> None:
        """Close all connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def scope(self, envelope: Envelope) -> str:  # noqa: ARG002 - part of the contract
        """One URL has no parts."""
        return ""

    async def _deliver_one(self, client: "Client", envelope: Envelope) -> Outcome:
        try:
            encoded = self._encode(envelope)
        except (ValueError, RecursionError) as error:
            return Rejected("not_encodable", f"can't be put into format {self._settings.format}: {error}")
        return (await client.post(encoded, [envelope.id])).outcome

    def _encode(self, envelope: Envelope) -> Encoded:
        """Raises ValueError or RecursionError."""
        if self._settings.format == "feishu":
            return feishu.encode(envelope, self._settings, self._clock.wall())
        return _ENCODERS[self._settings.format](envelope)

    async def _deliver_batch(self, client: "Client", batch: Sequence[Envelope]) -> Sequence[Outcome]:
        """A refusal doesn't say which event is the cause, so smaller batches follow, until TIMEOUT_SECONDS are over."""
        split = Split([order_key(self._settings.ordering, envelope) for envelope in batch])
        started = self._clock.monotonic()
        while part := split.next():
            answer = await self._post(client, [batch[index] for index in part])
            spent = self._clock.monotonic() - started
            split.answered(part, answer, may_go_on=spent < self._settings.seconds)
        return split.outcomes()

    async def _post(self, client: "Client", envelopes: Sequence[Envelope]) -> Answer:
        return await client.post(encode.batch(envelopes), [envelope.id for envelope in envelopes])
