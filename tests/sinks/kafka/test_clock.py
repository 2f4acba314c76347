"""A clock that differs from the brokers' by more than the topic allows: events wait until it is mended."""

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from sinks.contract import DELIVERED, Unavailable
from tests.broker.cluster import Cluster
from tests.sinks.kafka.support import administrator, create, event, fresh, opened

LIMIT = "message.timestamp.before.max.ms"


async def test_a_record_whose_time_the_broker_refuses_is_held_not_rejected(kafka: Cluster) -> None:
    type_, other = fresh(), fresh()
    await create(kafka, f"feishu.{type_}", message_timestamp_before_max_ms="0")  # as a clock does that is late
    async with opened(kafka.bootstrap) as sink:
        late, fine = event(type_), event(other)
        (held,) = await sink.deliver([late])
        while held == DELIVERED:  # it arrived in the millisecond that it was made
            (held,) = await sink.deliver([late])
        assert isinstance(held, Unavailable), held
        assert (held.reason, held.scope) == ("invalid_timestamp", f"feishu.{type_}")
        assert await sink.deliver([fine]) == [DELIVERED]
        async with administrator(kafka.bootstrap) as admin:
            topic = ConfigResource(ConfigResourceType.TOPIC, f"feishu.{type_}", {LIMIT: str(2**63 - 1)})
            await admin.alter_configs([topic])
        assert await sink.deliver([late]) == [DELIVERED]


async def test_a_refused_topic_ends_no_search_for_another(kafka: Cluster) -> None:
    refused = 0
    for _ in range(8):
        type_, other = fresh(), fresh()
        await create(kafka, f"feishu.{type_}", message_timestamp_before_max_ms="0")
        async with opened(kafka.bootstrap, request_timeout_seconds=10, deliver_timeout_seconds=20) as sink:
            held, delivered = await sink.deliver(
                [event(type_), event(other)]
            )  # the search goes on while a producer ends
            refused += isinstance(held, Unavailable) and held.scope == f"feishu.{type_}"
            assert delivered == DELIVERED
    assert refused  # not each time: a record may arrive in the millisecond that it was made
