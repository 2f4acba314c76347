"""The connected part of the sink: batches spread over topics and partitions, all side by side."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from router.envelope import Envelope
from sinks.contract import FOLLOWS, Delivered, Outcome, Unavailable
from sinks.kafka import connect
from sinks.kafka.channel import Channel, Item
from sinks.kafka.encode import ENCODERS, key_of
from sinks.kafka.errors import cluster_reason, describe, outcome
from sinks.kafka.partition import key_hash
from sinks.kafka.producer import Producers
from sinks.kafka.settings import KafkaSettings
from sinks.kafka.topics import Topic, Topics


class Delivery:
    """Producers, topics and channels of one open sink."""

    def __init__(self, settings: KafkaSettings, topic: Callable[[Envelope], str], shared: dict[str, Any]):
        self._settings = settings
        self._topic = topic
        self._shared = shared
        self._producers = Producers(settings, shared)
        self._topics = Topics(settings, self._producers)
        self._channels: dict[tuple[str, int], Channel] = {}
        self._encode = ENCODERS[settings.format]
        self._key = key_of(settings.ordering)

    async def start(self) -> None:
        """Connect, and take a producer id. Raises SinkNotReadyError with the real reason."""
        try:
            await connect.metadata(self._settings, self._shared)
            await self._producers.current()
        except connect.ConnectError as error:
            raise connect.not_ready(self._settings, error) from error

    async def deliver(self, batch: Sequence[Envelope]) -> list[Outcome]:
        """One outcome per envelope. Takes at most the deliver timeout and one request timeout."""
        outcomes: list[Outcome | None] = [None] * len(batch)
        topics: dict[str, list[int]] = defaultdict(list)
        for index, envelope in enumerate(batch):
            topics[self._topic(envelope)].append(index)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.deliver_timeout_seconds):
                async with asyncio.TaskGroup() as group:
                    for name, indices in topics.items():
                        group.create_task(self._to_topic(name, indices, batch, outcomes))
        if any(each is None or (isinstance(each, Unavailable) and not each.scope) for each in outcomes):
            await self._look_around(topics, outcomes)
        return self._in_order(batch, outcomes, topics)

    async def _to_topic(
        self, name: str, indices: list[int], batch: Sequence[Envelope], outcomes: list[Outcome | None]
    ) -> None:
        try:
            topic = self._topics.known(name) or await self._topics.find(name, self._settings.request_timeout_seconds)
            producer = await self._producers.current()
            partitions = sorted(await producer.partitions_for(name))
        except TimeoutError:
            return
        except connect.ConnectError as error:
            self._failed(error, name, indices, outcomes)
            return
        queues: dict[int, list[Item]] = defaultdict(list)
        for index in indices:
            envelope = batch[index]
            key = self._key(envelope)
            record = self._encode(envelope, key)
            partition = partitions[key_hash(record.key) % len(partitions)]
            queues[partition].append(Item(index, envelope, key, record))
        await asyncio.gather(*(self._to_partition(topic, each, items, outcomes) for each, items in queues.items()))

    async def _to_partition(
        self, topic: Topic, partition: int, items: list[Item], outcomes: list[Outcome | None]
    ) -> None:
        channel = self._channels.get((topic.name, partition))
        if channel is None:
            channel = self._channels[topic.name, partition] = Channel(
                topic.name, partition, self._producers, self._topics
            )
        try:
            await channel.deliver(items, topic, outcomes)
        except connect.ConnectError as error:
            self._topics.forget(topic.name)
            self._failed(error, topic.name, [item.place for item in items], outcomes)

    def _failed(self, error: BaseException, topic: str, indices: list[int], outcomes: list[Outcome | None]) -> None:
        result = outcome(error, topic)
        for index in indices:
            outcomes[index] = outcomes[index] or result

    async def _look_around(self, topics: dict[str, list[int]], outcomes: list[Outcome | None]) -> None:
        """Ask the bootstrap servers anew: the brokers that the producers know may all be gone, others in their place.

        No answer in time for some events: the whole cluster's fault if it lets nobody in, else their topic's.
        """
        error: BaseException | None = None
        try:
            self._producers.learn(await connect.metadata(self._settings, self._shared, self._producers.topics()))
        except connect.ConnectError as raised:
            error = raised
        for name, indices in topics.items():
            waited = f"no answer in time (topic {name})"
            if error is None:
                result = Unavailable("timeout", waited, scope=name)
            else:
                result = Unavailable(cluster_reason(error), f"{waited}: {describe(error)}")
            for index in indices:
                outcomes[index] = outcomes[index] or result

    def _in_order(
        self, batch: Sequence[Envelope], outcomes: Sequence[Outcome | None], topics: dict[str, list[int]]
    ) -> list[Outcome]:
        """After a failure of a key, its followers in the topic come back as such. Nothing of them was written."""
        results: list[Outcome] = [each or FOLLOWS for each in outcomes]
        for indices in topics.values():
            failed: set[str] = set()
            for index in indices:
                if isinstance(results[index], Delivered):
                    continue
                key = self._key(batch[index])
                if key in failed:
                    results[index] = FOLLOWS
                failed.add(key)
        return results

    async def close(self) -> None:
        """End searches and producers, within bounds."""
        await self._topics.close()
        await self._producers.close()
