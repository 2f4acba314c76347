"""The conformance suite over the Kafka sink, against a real broker."""

import asyncio
import json
import uuid
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from router.envelope import Envelope
from sinks.contract import Sink
from sinks.kafka import SINK
from sinks.kafka.settings import KafkaSettings
from sinks.testing.suite import (
    RecoveringTarget,
    RecoveryContract,
    RejectingTarget,
    RejectionContract,
    SinkContract,
    UnreachableContract,
    UnreachableTarget,
    make_envelope,
)
from tests.broker.cluster import Cluster
from tests.sinks.kafka.support import read, settings


class KafkaTarget(RejectingTarget, UnreachableTarget):
    sink_type = SINK

    def __init__(self, kafka: Cluster) -> None:
        self.kafka = kafka
        self.prefix = f"contract-{uuid.uuid4().hex[:8]}"

    def settings(self) -> KafkaSettings:
        return settings(self.kafka.bootstrap, topic=f"{self.prefix}.{{event_type}}", partitions=1)

    async def arrived(self) -> list[dict[str, Any]]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.bootstrap)
        await admin.start()
        try:
            topics = [name for name in await admin.list_topics() if name.startswith(self.prefix)]
        finally:
            await admin.close()
        return [json.loads(record.value) for topic in topics for record in await read(self.kafka.bootstrap, topic, 0)]

    def unreachable(self) -> Sink:
        return SINK.build("contract", settings("127.0.0.1:9"))

    def poisoned(self, number: int) -> Envelope:
        return make_envelope(number, subject="od-1", data={"text": "x" * (1 << 20)})


class TestKafka(SinkContract, UnreachableContract, RejectionContract):
    @pytest.fixture
    def target(self, kafka: Cluster) -> KafkaTarget:
        return KafkaTarget(kafka)


class KillableTarget(KafkaTarget, RecoveringTarget):
    async def go_away(self) -> None:
        self.kafka.kill()

    async def come_back(self) -> None:
        self.kafka.start()
        await asyncio.to_thread(self.kafka.wait)


class TestKafkaRecovers(RecoveryContract):
    @pytest.fixture
    def target(self, kafka_own: Cluster) -> KillableTarget:
        return KillableTarget(kafka_own)
