import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from sinks.contract import DELIVERED, FOLLOWS, Delivered, Rejected, Unavailable
from sinks.kafka.sink import KafkaSink
from tests.broker import wire
from tests.broker.cluster import Cluster
from tests.broker.properties import PASSWORDS
from tests.sinks.kafka.support import event, fresh, ids, opened, read


async def create(kafka: Cluster, topic: str, partitions: int = 1, **configs: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        named = {name.replace("_", "."): value for name, value in configs.items()}
        answer = await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=named)])
        assert [code for _, code, _ in answer.topic_errors] == [0]
    finally:
        await admin.close()


async def producer(sink: KafkaSink) -> object:
    assert sink._delivery is not None
    return await sink._delivery._producers.current()


async def described(kafka: Cluster, topic: str, config: str) -> tuple[int, str]:
    """Partitions, and one setting."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        (found,) = await admin.describe_topics([topic])
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, {config: None})
        (answer,) = await admin.describe_configs([resource])
        return len(found["partitions"]), answer.resources[0][4][0][1]
    finally:
        await admin.close()


async def test_a_missing_topic_is_made_as_told(kafka: Cluster) -> None:
    type_ = fresh()
    async with opened(
        kafka.bootstrap, partitions=5, replication=1, topic_config="retention.ms=3600000,max.message.bytes=70000"
    ) as sink:
        assert await sink.deliver([event(type_)]) == [DELIVERED]
    assert await described(kafka, f"feishu.{type_}", "retention.ms") == (5, "3600000")


async def test_a_missing_topic_is_made_with_the_brokers_defaults(kafka: Cluster) -> None:
    type_ = fresh()
    async with opened(kafka.bootstrap) as sink:
        assert await sink.deliver([event(type_)]) == [DELIVERED]
    assert (await described(kafka, f"feishu.{type_}", "retention.ms"))[0] == 3


async def test_two_sinks_make_a_topic_at_the_same_time(kafka: Cluster) -> None:
    type_ = fresh()
    async with opened(kafka.bootstrap) as one, opened(kafka.bootstrap) as two:
        first, second = await asyncio.gather(one.deliver([event(type_)]), two.deliver([event(type_)]))
    assert [*first, *second] == [DELIVERED] * 2


async def test_a_required_topic_holds_its_events_until_somebody_makes_it(kafka: Cluster) -> None:
    type_, there = fresh(), fresh()
    await create(kafka, f"feishu.{there}")
    async with opened(kafka.bootstrap, topics="require") as sink:
        batch = [event(type_), event(there), event(type_), event(type_, "other")]
        held, delivered, follower, other = await sink.deliver(batch)
        assert isinstance(held, Unavailable)
        assert (held.reason, held.scope) == ("topic_unknown", sink.scope(batch[0]))
        assert "topics=require" in held.detail
        assert delivered == DELIVERED
        assert follower == FOLLOWS
        assert other == held
        await create(kafka, f"feishu.{type_}")
        assert await sink.deliver([batch[0], batch[2]]) == [DELIVERED] * 2
    assert ids(await read(kafka.bootstrap, f"feishu.{type_}", 2)) == [batch[0].id, batch[2].id]


@pytest.mark.parametrize("setting", [{"replication": 3}, {"topic_config": "no.such=1"}])
async def test_settings_that_the_broker_refuses_hold_the_topic(kafka: Cluster, setting: dict[str, object]) -> None:
    async with opened(kafka.bootstrap, **setting) as sink:
        (outcome,) = await sink.deliver([event(fresh())])
    assert isinstance(outcome, Unavailable)
    assert outcome.reason == "topic_settings"
    assert outcome.scope


async def test_a_deleted_topic_is_made_again(kafka: Cluster) -> None:
    type_ = fresh()
    async with opened(kafka.bootstrap) as sink:
        assert await sink.deliver([event(type_)]) == [DELIVERED]
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        await admin.delete_topics([f"feishu.{type_}"])
        async with asyncio.timeout(30):
            while f"feishu.{type_}" in await admin.list_topics():  # noqa: ASYNC110 - the broker tells nobody
                await asyncio.sleep(0.05)
        await admin.close()
        again = event(type_)
        async with asyncio.timeout(40):
            while not isinstance(outcome := (await sink.deliver([again]))[0], Delivered):
                assert isinstance(outcome, Unavailable)
                assert outcome.scope == f"feishu.{type_}"
    assert ids(await read(kafka.bootstrap, f"feishu.{type_}", 1)) == [again.id]


async def test_an_event_too_large_is_rejected_and_nothing_else(kafka: Cluster) -> None:
    type_ = fresh()
    await create(kafka, f"feishu.{type_}", max_message_bytes="10000")
    small = [event(type_, f"s{n}") for n in range(60)]
    large = event(type_, "s0", data={"text": "x" * 10_000})
    async with opened(kafka.bootstrap, compression="none") as sink:
        before = await producer(sink)
        outcomes = await sink.deliver([*small[:30], large, *small[30:], event(type_, "s0")])
        assert await producer(sink) is before, "refused before it could break the partition"
        assert isinstance(outcomes[30], Rejected)
        assert outcomes[30].reason == "too_large"
        assert outcomes[-1] == FOLLOWS
        assert [*outcomes[:30], *outcomes[31:-1]] == [DELIVERED] * 60
        last = event(type_, "s0")
        assert await sink.deliver([last]) == [DELIVERED]
    found = ids(await read(kafka.bootstrap, f"feishu.{type_}", 61))
    assert found == [each.id for each in small] + [last.id]


async def test_a_limit_lowered_meanwhile_breaks_nothing(kafka: Cluster) -> None:
    """The broker refuses the batch, which has used up its numbers: all is sent again by a new producer."""
    type_ = fresh()
    await create(kafka, f"feishu.{type_}", max_message_bytes="500000")
    async with opened(kafka.bootstrap, compression="none") as sink:
        first = event(type_)
        assert await sink.deliver([first]) == [DELIVERED]
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        changed = {"max.message.bytes": "10000"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, f"feishu.{type_}", changed)])
        await admin.close()
        small = [event(type_, f"s{n % 7}") for n in range(60)]
        large = event(type_, "large", data={"text": "x" * 10_000})
        outcomes = await sink.deliver([*small[:30], large, *small[30:]])
        assert isinstance(outcomes[30], Rejected)
        assert [*outcomes[:30], *outcomes[31:]] == [DELIVERED] * 60
        last = event(type_)
        assert await sink.deliver([last]) == [DELIVERED]
    found = ids(await read(kafka.bootstrap, f"feishu.{type_}", 62))
    assert found == [first.id, *(each.id for each in small), last.id]


async def test_a_topic_that_is_not_allowed_holds_only_itself(kafka_secure: Cluster) -> None:
    allowed, forbidden = fresh(), fresh()
    for type_ in (allowed, forbidden):
        await create(kafka_secure, f"feishu.{type_}")
    port = int(kafka_secure.bootstrap.split(":")[1])
    wire.allow(port, "stranger", f"feishu.{allowed}", wire.WRITE, wire.DESCRIBE)
    stranger = {"sasl_username": "stranger", "sasl_password": PASSWORDS["stranger"]}
    async with opened(kafka_secure.listeners("SASL_PLAINTEXT"), **stranger) as sink:
        for _ in range(3):
            denied, fine = await sink.deliver([event(forbidden), event(allowed)])
            assert isinstance(denied, Unavailable)
            assert (denied.reason, denied.scope) == ("topic_not_authorized", f"feishu.{forbidden}")
            assert fine == DELIVERED
        wire.allow(port, "stranger", f"feishu.{forbidden}", wire.DESCRIBE)
        denied, fine = await sink.deliver([event(forbidden), event(allowed)])
        assert isinstance(denied, Unavailable)
        assert denied.reason == "topic_not_authorized"
        assert fine == DELIVERED
        assert await sink.deliver([event(allowed)]) == [DELIVERED]
    assert len(await read(kafka_secure.bootstrap, f"feishu.{allowed}", 5)) == 5
    assert await read(kafka_secure.bootstrap, f"feishu.{forbidden}", 0) == []
