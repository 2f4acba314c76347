"""What is away, frozen or refusing: nothing lost, nothing copied, nothing overtaken, nobody else held up."""

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from sinks.contract import DELIVERED, FOLLOWS, Outcome, Unavailable
from sinks.kafka.sink import KafkaSink
from tests.broker import wire
from tests.broker.cluster import Cluster, launch
from tests.sinks.kafka.support import event, fresh, ids, opened, read, until_delivered

PATIENCE = 40.0
"""What must end takes some of the timeouts that are set here and in the sink, one after the other: half of this, unless the
machine is busy."""


def scopes(outcomes: Sequence[Outcome]) -> set[str]:
    """The scopes of outcomes that all are Unavailable, or follow one."""
    assert all(isinstance(outcome, Unavailable) or outcome == FOLLOWS for outcome in outcomes), outcomes
    return {outcome.scope for outcome in outcomes if isinstance(outcome, Unavailable)}


@contextlib.asynccontextmanager
async def _admin(kafka: Cluster) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


@pytest.fixture(scope="module")
def maimed() -> Iterator[Cluster]:
    """Three nodes, the third of which is dead."""
    with launch(3) as cluster:
        cluster.kill(3)
        deadline = time.monotonic() + 30
        while wire.live_nodes(cluster.nodes[0].ports["PLAINTEXT"]) != {1, 2}:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield cluster


async def create_stuck(kafka: Cluster, topic: str) -> None:
    """A topic of one partition that acknowledges nothing: one of the two replicas that it wants in sync is dead."""
    async with _admin(kafka) as admin:
        wanted = NewTopic(topic, -1, -1, {0: [1, 3]}, {"min.insync.replicas": "2"})
        answer = await admin.create_topics([wanted])
        assert [code for _, code, _ in answer.topic_errors] == [0]


async def unstick(kafka: Cluster, topic: str) -> None:
    await configure(kafka, topic, "min.insync.replicas", "1")


async def configure(kafka: Cluster, topic: str, name: str, value: str) -> None:
    async with _admin(kafka) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})])


async def test_a_killed_broker_costs_nothing_but_time(kafka_own: Cluster) -> None:
    type_ = fresh()
    async with opened(kafka_own.bootstrap, partitions=1, request_timeout_seconds=2, deliver_timeout_seconds=2) as sink:
        first = [event(type_, f"s{n % 5}") for n in range(50)]
        await until_delivered(sink, first)
        kafka_own.kill()
        batch = [event(type_, f"s{n % 5}") for n in range(50)]
        async with asyncio.timeout(PATIENCE):
            assert scopes(await sink.deliver(batch)) == {""}
            assert scopes(await sink.deliver(batch[:1])) == {""}
        kafka_own.start()
        later = [event(type_, f"s{n % 5}") for n in range(50)]
        await until_delivered(sink, [*batch, *later])
    found = ids(await read(kafka_own.bootstrap, f"feishu.{type_}", 150))
    assert found == [each.id for each in [*first, *batch, *later]]


async def test_a_frozen_broker_gets_each_event_once(kafka_own: Cluster) -> None:
    type_ = fresh()
    async with opened(kafka_own.bootstrap, partitions=1, request_timeout_seconds=1, deliver_timeout_seconds=1) as sink:
        await until_delivered(sink, [event(type_)])
        kafka_own.pause()
        batch = [event(type_, f"s{n % 3}") for n in range(30)]
        async with asyncio.timeout(PATIENCE):
            assert scopes(await sink.deliver(batch)) == {""}
        kafka_own.resume()
        await until_delivered(sink, batch)
    assert ids(await read(kafka_own.bootstrap, f"feishu.{type_}", 31))[1:] == [each.id for each in batch]


async def test_a_broker_away_at_an_unknown_topic_is_the_whole_sink(kafka_own: Cluster) -> None:
    async with opened(kafka_own.bootstrap) as sink:
        kafka_own.kill()
        async with asyncio.timeout(PATIENCE):
            assert scopes(await sink.deliver([event(fresh()), event(fresh())])) == {""}


async def test_closing_while_the_broker_is_frozen_ends(kafka_own: Cluster) -> None:
    async with opened(kafka_own.bootstrap, request_timeout_seconds=1, deliver_timeout_seconds=1) as sink:
        await until_delivered(sink, [event(fresh())])
        kafka_own.pause()
        assert scopes(await sink.deliver([event(fresh()) for _ in range(5)]))
        async with asyncio.timeout(PATIENCE):
            await sink.close()
        kafka_own.resume()


async def test_closing_while_the_broker_is_away_leaves_no_complaint(
    kafka_own: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(kafka_own.bootstrap, request_timeout_seconds=1, deliver_timeout_seconds=1) as sink:
        type_ = fresh()
        await until_delivered(sink, [event(type_)])
        kafka_own.kill()
        assert scopes(await sink.deliver([event(type_, f"s{n}") for n in range(20)]))
    del sink
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


def _under_way(sink: KafkaSink) -> bool:
    assert sink._delivery is not None
    return any(channel._open for channel in sink._delivery._channels.values())


async def test_a_cancelled_delivery_is_neither_copied_nor_overtaken(maimed: Cluster) -> None:
    type_ = fresh()
    await create_stuck(maimed, f"feishu.{type_}")
    async with opened(maimed.bootstrap, replication=1) as sink:
        batch = [event(type_), event(type_)]
        running = asyncio.ensure_future(sink.deliver(batch))
        async with asyncio.timeout(PATIENCE):
            while not _under_way(sink):  # noqa: ASYNC110 - there is nothing to wait on
                await asyncio.sleep(0.01)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        later = asyncio.ensure_future(sink.deliver([*batch, event(type_)]))
        await unstick(maimed, f"feishu.{type_}")
        assert await later == [DELIVERED] * 3
    found = ids(await read(maimed.bootstrap, f"feishu.{type_}", 3))
    assert found[:2] == [each.id for each in batch]
    assert len(found) == 3


async def test_a_stuck_topic_holds_up_no_other(maimed: Cluster) -> None:
    stuck, fine = fresh(), fresh()
    await create_stuck(maimed, f"feishu.{stuck}")
    async with opened(
        maimed.bootstrap, partitions=1, replication=1, request_timeout_seconds=2, deliver_timeout_seconds=4
    ) as sink:
        bad = [event(stuck), event(stuck)]
        good = [event(fine), event(fine)]
        pending = asyncio.ensure_future(sink.deliver([bad[0], good[0], bad[1]]))
        assert ids(await read(maimed.bootstrap, f"feishu.{fine}", 1)) == [good[0].id]
        assert await sink.deliver([good[1]]) == [DELIVERED]
        assert not pending.done(), "the stuck topic's answer is still awaited"
        held, delivered, follower = await pending
        assert delivered == DELIVERED
        assert isinstance(held, Unavailable)
        assert held.scope == f"feishu.{stuck}"
        assert follower == FOLLOWS
        await unstick(maimed, f"feishu.{stuck}")
        await until_delivered(sink, bad)
    assert ids(await read(maimed.bootstrap, f"feishu.{stuck}", 2)) == [each.id for each in bad]


async def test_a_new_producer_does_not_copy_what_the_old_one_has_under_way(maimed: Cluster) -> None:
    stuck, refusing = fresh(), fresh()
    await create_stuck(maimed, f"feishu.{stuck}")
    async with opened(
        maimed.bootstrap,
        partitions=1,
        replication=1,
        compression="none",
        request_timeout_seconds=3,
        deliver_timeout_seconds=3,
    ) as sink:
        await until_delivered(sink, [event(refusing)])
        held = event(stuck)
        pending = asyncio.ensure_future(sink.deliver([held]))
        await configure(maimed, f"feishu.{refusing}", "max.message.bytes", "5000")
        many = [event(refusing) for _ in range(30)]
        assert await sink.deliver(many) == [DELIVERED] * 30
        assert scopes(await pending) == {f"feishu.{stuck}"}
        await unstick(maimed, f"feishu.{stuck}")
        later = event(stuck)
        await until_delivered(sink, [held, later])
    assert ids(await read(maimed.bootstrap, f"feishu.{stuck}", 2)) == [held.id, later.id]
    assert ids(await read(maimed.bootstrap, f"feishu.{refusing}", 31))[1:] == [each.id for each in many]


async def test_one_of_three_brokers_killed_under_load(kafka_three: Cluster) -> None:
    type_ = fresh()
    events = [event(type_, f"s{n % 20}") for n in range(2000)]
    async with opened(kafka_three.bootstrap, partitions=6, deliver_timeout_seconds=10) as sink:
        await until_delivered(sink, events[:20])
        for at in range(20, 2000, 180):
            if at == 380:
                kafka_three.kill(2)
            await until_delivered(sink, events[at : at + 180])
    servers = kafka_three.listeners("PLAINTEXT").split(",")[0]
    records = await read(servers, f"feishu.{type_}", 2000)
    assert len(records) == 2000, "each once"
    for n in range(20):
        key = events[n].partitionkey.encode()
        assert [record.value for record in records if record.key == key] == [each.json for each in events[n::20]]
