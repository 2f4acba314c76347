"""Topics: there or created, and how large a batch each takes."""

import asyncio
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.client import ConnectionGroup
from aiokafka.errors import (
    BrokerResponseError,
    KafkaConnectionError,
    KafkaError,
    NoError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.admin import CreateTopicsRequest, DescribeConfigsRequest
from aiokafka.protocol.metadata import MetadataRequest

from sinks.kafka.producer import Producers
from sinks.kafka.settings import KafkaSettings

TOPIC_RESOURCE = 2
DEFAULT_MAX_BYTES = 1048588
"""Kafka's default of max.message.bytes: taken where reading it isn't allowed."""


class Topic(NamedTuple):
    """A topic that exists. max_bytes: of one batch."""

    name: str
    max_bytes: int


class Topics:
    """Knows the topics that were seen to exist; finds out about others beside everyone else's way."""

    def __init__(self, settings: KafkaSettings, producers: Producers):
        self._settings = settings
        self._producers = producers
        self._known: dict[str, Topic] = {}
        self._searches: dict[str, asyncio.Task[Topic]] = {}

    def known(self, name: str) -> Topic | None:
        """The topic, if it was seen."""
        return self._known.get(name)

    def forget(self, name: str) -> None:
        """Look it up again at its next use: it failed, or its settings seem to have changed."""
        self._known.pop(name, None)

    async def find(self, name: str, seconds: float) -> Topic:
        """Look it up, create it if that is wanted. Raises KafkaError, OSError or TimeoutError.

        After `seconds` nobody waits any longer (TimeoutError), but the search goes on and its result is there next time.
        """
        search = self._searches.get(name)
        if search is None:
            search = self._searches[name] = asyncio.create_task(self._search(name))
            search.add_done_callback(lambda done: self._ended(name, done))
        async with asyncio.timeout(seconds):
            return await asyncio.shield(search)

    def _ended(self, name: str, search: "asyncio.Task[Topic]") -> None:
        self._searches.pop(name, None)
        if not search.cancelled() and search.exception() is None:
            self._known[name] = search.result()

    async def _search(self, name: str) -> Topic:
        async with asyncio.timeout(2 * self._settings.request_timeout_seconds):
            while True:
                producer = await self._producers.current()
                try:
                    return await self._ask_about(producer, name)
                except (KafkaError, OSError):
                    if self._producers.takes_more(producer):
                        raise  # else another topic's failure has ended it under us: that says nothing of this one
                finally:
                    if not self._producers.alive(producer):  # stopped meanwhile: what we opened since would stay open
                        await producer.client.close()

    async def _ask_about(self, producer: AIOKafkaProducer, name: str) -> Topic:
        if not await _exists(producer, name):
            if self._settings.topics == "require":
                raise UnknownTopicOrPartitionError("the topic doesn't exist, and topics=require")
            await self._create(producer, name)
        limit = await _max_message_bytes(producer, name)
        await producer.partitions_for(name)
        return Topic(name, limit)

    async def _create(self, producer: AIOKafkaProducer, name: str) -> None:
        partitions, replication = self._settings.partitions or -1, self._settings.replication or -1
        placed_by_us: list[Any] = []
        wanted = (name, partitions, replication, placed_by_us, list(self._settings.configs.items()))
        answer = await _ask(
            producer,
            CreateTopicsRequest(
                create_topic_requests=[wanted],
                timeout=int(self._settings.request_timeout_seconds * 1000),
                validate_only=False,
            ),
        )
        for _, code, message in answer.topic_errors:
            _check(code, message, TopicAlreadyExistsError)

    async def close(self) -> None:
        """End all searches."""
        searches = list(self._searches.values())
        for search in searches:
            search.cancel()
        if searches:
            await asyncio.wait(searches)


async def _exists(producer: AIOKafkaProducer, name: str) -> bool:
    # aiokafka's own look-ups allow the broker to create the topic: here a mistyped name must not make one.
    answer = await _ask(producer, MetadataRequest([name], allow_auto_topic_creation=False))
    codes = {topic[0] for topic in answer.topics}
    if codes == {UnknownTopicOrPartitionError.errno}:
        return False
    for code in codes:
        _check(code, None)
    return True


async def _max_message_bytes(producer: AIOKafkaProducer, name: str) -> int:
    request = DescribeConfigsRequest([(TOPIC_RESOURCE, name, ["max.message.bytes"])], include_synonyms=False)
    while True:
        answer = await _ask(producer, request)
        for code, _, _, _, entries, *_ in answer.resources:
            for entry in entries if code == 0 else ():
                return int(entry[1])
        if all(code != UnknownTopicOrPartitionError.errno for code, *_ in answer.resources):
            return DEFAULT_MAX_BYTES
        await asyncio.sleep(0.05)  # just created, and this broker doesn't know yet


async def _ask(producer: AIOKafkaProducer, request: Any) -> Any:
    """Ask the controller (with KRaft: some node, which passes it on), on a socket that no produce request holds up."""
    cluster = producer.client.cluster
    node = cluster.controller.nodeId if cluster.controller else producer.client.get_random_node()
    if node is None:
        raise KafkaConnectionError("no broker is known")
    try:
        return await producer.client.send(node, request, group=ConnectionGroup.COORDINATION)
    except Exception:
        producer.client.force_metadata_update()
        raise


def _check(code: int, message: str | None, *fine: type[BrokerResponseError]) -> None:
    kind = for_code(code)
    if kind is not NoError and kind not in fine:
        raise kind(message or "")
