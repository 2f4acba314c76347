"""Brokers that come back elsewhere, and answers that get lost: each event once all the same."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiokafka.admin import NewTopic

from sinks.contract import Delivered
from tests.broker.cluster import Cluster, launch
from tests.broker.relay import PRODUCE, Relay
from tests.doubles.waiting import until
from tests.sinks.kafka.rig import rig
from tests.sinks.kafka.support import administrator, event, fresh, ids, opened, read, until_delivered

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def three() -> Iterator[Cluster]:
    with launch(3) as started:
        yield started


async def test_all_brokers_come_back_elsewhere(three: Cluster, tmp_path: Path) -> None:
    """As when all pods are replaced: only the bootstrap address stays. The producer goes on, so nothing is copied."""
    async with (
        Relay(three.nodes[0].ports["PLAINTEXT"]) as door,
        rig(tmp_path, f"127.0.0.1:{door.port}") as world,
    ):
        await world.steady()
        for node in (1, 2, 3):
            three.kill(node)
            three.move(node)
        await world.held_back()
        await asyncio.to_thread(three.restore)
        door.target = three.nodes[0].ports["PLAINTEXT"]
        begun = time.monotonic()
        await world.caught_up()
        seconds = time.monotonic() - begun
        await world.end()
        await world.verify("all brokers elsewhere", three.bootstrap, seconds)


@contextlib.asynccontextmanager
async def relayed(kafka: Cluster, number: int) -> AsyncIterator[Relay]:
    """That node's clients reach it through a relay."""
    node = kafka.nodes[number - 1]
    async with Relay(node.ports["PLAINTEXT"]) as relay:
        node.advertised["PLAINTEXT"] = relay.port
        kafka.write_properties(number)
        kafka.kill(number)
        await asyncio.to_thread(kafka.restore)
        yield relay


async def test_a_lost_answer_and_then_no_leader_make_no_copy(three: Cluster) -> None:
    """The batch is written, but nobody knows: it must be held, as long as it takes, by the producer that numbered it."""
    type_ = fresh()
    async with relayed(three, 3) as relay, administrator(three.listeners("PLAINTEXT")) as admin:
        answer = await admin.create_topics(
            [NewTopic(f"feishu.{type_}", -1, -1, {0: [3]}, {"min.insync.replicas": "1"})]
        )
        assert [code for _, code, _ in answer.topic_errors] == [0]
        times = {"request_timeout_seconds": 2, "deliver_timeout_seconds": 2}
        async with opened(three.bootstrap, **times) as sink:
            await until_delivered(sink, [event(type_)])
            relay.loses = PRODUCE
            batch = [event(type_, f"s{n}") for n in range(5)]
            sending = asyncio.ensure_future(sink.deliver(batch))
            await until(lambda: relay.lost > 0)
            three.kill(3)
            relay.loses = None
            assert not any(isinstance(outcome, Delivered) for outcome in await sending)
            held = time.monotonic() + 7
            while time.monotonic() < held:  # longer than any timeout: first a dead leader, then none
                assert not any(isinstance(outcome, Delivered) for outcome in await sink.deliver(batch))
            await asyncio.to_thread(three.restore)
            await until_delivered(sink, batch)
        records = await read(three.listeners("PLAINTEXT").split(",")[0], f"feishu.{type_}", 6)
    assert ids(records)[1:] == [each.id for each in batch]
