"""One partition of one topic: batches go in one at a time, so that none overtakes another."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from router.envelope import Envelope
from sinks.contract import DELIVERED, FOLLOWS, Outcome, Rejected, Retry
from sinks.kafka.encode import Record
from sinks.kafka.errors import PRODUCER, outcome
from sinks.kafka.producer import Producers
from sinks.kafka.topics import Topic, Topics

BATCH_OVERHEAD = 61
"""Bytes of a batch's header."""
REMAKES = 3
MAX_LATE = 20_000


class Item(NamedTuple):
    """An event on its way: its place in the batch being delivered, its order key, its record."""

    place: int
    envelope: Envelope
    key: str
    record: Record


class _Sent(NamedTuple):
    items: Sequence[Item]
    producer: AIOKafkaProducer
    answer: "asyncio.Future[Any]"


class Channel:
    """Delivers to one partition.

    A batch whose answer doesn't come in time stays in the producer and may still be written, minutes later. Sending its
    events again meanwhile would make copies and break the order. So the batch is kept as `_open`: nothing else goes
    into the partition until its fate is known, and the events it brought in are then Delivered without being sent again.
    The same holds when the deliver() that sent it was cancelled.
    """

    def __init__(self, topic: str, partition: int, producers: Producers, topics: Topics):
        self._topic = topic
        self._topics = topics
        self._partition = partition
        self._producers = producers
        self._turn = asyncio.Lock()
        self._open: _Sent | None = None
        self._late: dict[tuple[str, str, str], None] = {}

    async def deliver(self, items: Sequence[Item], topic: Topic, outcomes: list[Outcome | None]) -> None:
        """Write the items in order, put each one's outcome at its place.

        May be cancelled at any time; what has no outcome then isn't known to be written. Raises KafkaError or OSError,
        the same meaning: the partition takes nothing now.
        """
        async with self._turn:
            if self._open is not None:
                await self._settle(self._open)
            queue = self._without_late(items, outcomes) if self._late else list(items)
            fitting = list(_fitting(queue, topic.max_bytes - BATCH_OVERHEAD, outcomes))
            await self._send(fitting, topic.max_bytes, outcomes)

    async def _settle(self, sent: _Sent) -> None:
        await asyncio.wait({sent.answer})
        self._open = None
        if sent.answer.exception() is not None:
            self._producers.retire(sent.producer)
            return
        for item in sent.items:
            self._late[_identity(item.envelope)] = None
        while len(self._late) > MAX_LATE:
            del self._late[next(iter(self._late))]

    def _without_late(self, items: Sequence[Item], outcomes: list[Outcome | None]) -> list[Item]:
        rest = []
        for item in items:
            if self._late.pop(_identity(item.envelope), self) is None:
                outcomes[item.place] = DELIVERED
            else:
                rest.append(item)
        return rest

    async def _send(self, items: list[Item], limit: int, outcomes: list[Outcome | None]) -> None:
        """Batch after batch. A batch refused for one of its records is sent again record by record."""
        failed: set[str] = set()
        at, remakes, singly_until = 0, 0, 0
        while at < len(items):
            if items[at].key in failed:
                outcomes[items[at].place] = FOLLOWS
                at += 1
                continue
            batch, error = await self._send_batch(items, at, 1 if at < singly_until else limit, failed)
            if error is None:
                for item in batch:
                    outcomes[item.place] = DELIVERED
                at += len(batch)
            elif isinstance(error, PRODUCER) and remakes < REMAKES:
                remakes += 1
            elif not _concerns_record(error):
                raise error
            elif len(batch) > 1:
                singly_until = at + len(batch)
                self._topics.forget(self._topic)  # its limit may have been lowered
            else:
                outcomes[batch[0].place] = outcome(error, self._topic)
                failed.add(batch[0].key)
                at += 1

    async def _send_batch(
        self, items: list[Item], at: int, limit: int, failed: set[str]
    ) -> tuple[list[Item], BaseException | None]:
        """Send as many from there on as fit, or up to a follower of a failed one. Gives them and what went wrong."""
        producer = await self._producers.current()
        builder = producer.create_batch()
        size, batch = BATCH_OVERHEAD, list[Item]()
        for each in range(at, len(items)):
            item = items[each]
            key, value, headers, bytes_ = item.record
            size += bytes_
            if batch and (size > limit or item.key in failed):
                break
            if builder.append(timestamp=None, key=key, value=value, headers=headers) is None:
                break
            batch.append(item)
        builder.close()
        try:
            answer = await producer.send_batch(builder, self._topic, partition=self._partition)
        except KafkaError:  # its sender has died: it never takes anything again
            self._producers.retire(producer)
            raise
        answer.add_done_callback(_seen)
        self._open = _Sent(batch, producer, answer)
        await asyncio.wait({answer})
        self._open = None
        error = answer.exception()
        if error is not None:
            self._producers.retire(producer)
        return batch, error


def _fitting(items: Sequence[Item], limit: int, outcomes: list[Outcome | None]) -> Iterator[Item]:
    """Those that can be sent. A record too large is refused here: the broker's refusal would break the partition."""
    failed: set[str] = set()
    for item in items:
        if item.key in failed:
            outcomes[item.place] = FOLLOWS
        elif item.record.size > limit:
            failed.add(item.key)
            detail = f"{item.record.size} bytes, the topic's max.message.bytes leaves {limit}"
            outcomes[item.place] = Rejected("too_large", detail)
        else:
            yield item


def _concerns_record(error: BaseException) -> bool:
    """Whether one of the batch's records may be the cause: known so, or a code that this client has no name for."""
    return isinstance(outcome(error, ""), Rejected | Retry)


def _seen(answer: "asyncio.Future[Any]") -> None:
    """An answer that nobody waits for any more, at the end of the sink, is not worth a line of asyncio's."""
    if not answer.cancelled():
        answer.exception()


def _identity(envelope: Envelope) -> tuple[str, str, str]:
    return envelope.source, envelope.type, envelope.id
