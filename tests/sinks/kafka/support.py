"""What the Kafka sink's tests share: events, an open sink, and reading back."""

import asyncio
import contextlib
import itertools
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from router.envelope import Envelope
from sinks.contract import Delivered
from sinks.kafka import SINK
from sinks.kafka.settings import KafkaSettings
from sinks.kafka.sink import KafkaSink
from tests.broker.cluster import Cluster

_COUNT = itertools.count()


def fresh() -> str:
    """An event type, and so a topic, of a test's own."""
    return f"test.{uuid.uuid4().hex[:12]}_v1"


def event(type_: str, subject: str = "s", **attributes: Any) -> Envelope:
    """An envelope with an id of its own; `data` and others as given."""
    document = {
        "specversion": "1.0",
        "id": f"e{next(_COUNT)}",
        "source": "feishu/cli_a/tenant1",
        "type": type_,
        "subject": subject,
        "time": "2026-01-02T03:04:05Z",
        "datacontenttype": "application/json",
        "partitionkey": f"feishu/cli_a/tenant1/{subject}",
        "appid": "cli_a",
        "tenantkey": "tenant1",
        "recordedtime": "2026-01-02T03:04:06Z",
        "feishuschema": "2.0",
        "data": {"employment_id": subject, "big": 2**63 - 1, "name": "王小明"},
        **attributes,
    }
    return Envelope.from_document(document, json.dumps(document, ensure_ascii=False).encode())


def settings(bootstrap: str, **more: Any) -> KafkaSettings:
    """Settings with times fit for tests."""
    times = {"request_timeout_seconds": 5, "deliver_timeout_seconds": 8}
    return KafkaSettings.model_validate({"type": "kafka", "bootstrap_servers": bootstrap, **times, **more})


@contextlib.asynccontextmanager
async def opened(bootstrap: str, **more: Any) -> AsyncIterator[KafkaSink]:
    """An open sink, closed at the end."""
    sink = SINK.build("bus", settings(bootstrap, **more))
    assert isinstance(sink, KafkaSink)
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


@contextlib.asynccontextmanager
async def administrator(bootstrap: str) -> AsyncIterator[Any]:
    """An admin client."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def create(kafka: Cluster, topic: str, **configs: str) -> None:
    """A topic of three partitions, on three brokers if there are so many, with those settings (`_` stands for `.`)."""
    named = {name.replace("_", "."): value for name, value in configs.items()}
    async with administrator(kafka.bootstrap) as admin:
        answer = await admin.create_topics([NewTopic(topic, 3, len(kafka.nodes), topic_configs=named)])
        assert [code for _, code, _ in answer.topic_errors] == [0], answer


async def leader_of(kafka: Cluster, topic: str) -> int:
    """The node that leads the topic's first partition."""
    async with administrator(kafka.bootstrap) as admin:
        (found,) = await admin.describe_topics([topic])
        leader: int = found["partitions"][0]["leader"]
        return leader


async def until_delivered(sink: KafkaSink, events: Sequence[Envelope]) -> None:
    """As a lane does: what isn't delivered again, in order."""
    rest = list(events)
    async with asyncio.timeout(60):
        while rest:
            outcomes = await sink.deliver(rest)
            rest = [each for each, outcome in zip(rest, outcomes, strict=True) if not isinstance(outcome, Delivered)]


async def read(bootstrap: str, topic: str, count: int) -> list[ConsumerRecord]:
    """Everything in the topic, at least `count` records; by partition, each in order. Fails after 30 s."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    records: list[ConsumerRecord] = []
    async with asyncio.timeout(30):
        await consumer.start()
        try:
            await consumer._client._wait_on_metadata(topic)
            partitions = [TopicPartition(topic, each) for each in consumer.partitions_for_topic(topic) or ()]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            while len(records) < count or not await _at_end(consumer, partitions):
                for fetched in (await consumer.getmany(timeout_ms=200)).values():
                    records.extend(fetched)
        finally:
            await consumer.stop()
    return sorted(records, key=lambda record: (record.partition, record.offset))


async def _at_end(consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> bool:
    ends = await consumer.end_offsets(partitions)
    return all([await consumer.position(each) >= ends[each] for each in partitions])


def ids(records: list[ConsumerRecord]) -> list[str]:
    """The events' ids."""
    return [json.loads(record.value)["id"] for record in records]
