"""The broker's side: topics made before a run, events counted after it, topics removed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from benchmarks.pool import TYPES, number_of

PARTITIONS = 3


@dataclass(slots=True)
class Counted:
    """What a consumer found. missing, foreign: numbers of events; doubled: copies beyond the first."""

    found: int
    missing: int
    doubled: int
    foreign: int


def topics_of(prefix: str) -> list[str]:
    """A topic for each type of the pool."""
    return [f"{prefix}.{type_}" for type_ in TYPES]


def create(bootstrap: str, prefix: str) -> None:
    """Make the topics, so that no run pays for that."""
    asyncio.run(_create(bootstrap, topics_of(prefix)))


async def _create(bootstrap: str, topics: Sequence[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in topics])
    finally:
        await admin.close()


def delete(bootstrap: str, prefix: str) -> None:
    """Give their space back."""
    asyncio.run(_delete(bootstrap, topics_of(prefix)))


async def _delete(bootstrap: str, topics: list[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(topics)
    finally:
        await admin.close()


def count(bootstrap: str, prefix: str, wanted: int, but: Sequence[int] = ()) -> Counted:
    """Look for events 0 … wanted-1, without those in `but`, which may or may not be there."""
    return asyncio.run(_count(bootstrap, topics_of(prefix), wanted, but))


async def _count(bootstrap: str, topics: Sequence[str], wanted: int, but: Sequence[int]) -> Counted:
    consumer = AIOKafkaConsumer(
        *topics, bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_bytes=16 << 20
    )
    await consumer.start()
    seen = bytearray(wanted)
    found = doubled = foreign = 0
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for messages in (await consumer.getmany(timeout_ms=1000)).values():
                for message in messages:
                    number = number_of(orjson.loads(message.value)["id"])
                    found += 1
                    if number >= wanted:
                        foreign += 1
                    elif seen[number]:
                        doubled += 1
                    else:
                        seen[number] = 1
    finally:
        await consumer.stop()
    for number in but:
        seen[number] = 1
    return Counted(found, wanted - sum(seen), doubled, foreign)
