"""The producer's life: started, replaced after a failure, stopped within bounds."""

import asyncio
import contextlib
import itertools
import math
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed

from sinks.kafka.settings import KafkaSettings

STOP_SECONDS = 2.0


class Producers:
    """Gives the producer of the moment.

    An idempotent producer numbers the records of each partition. A batch that fails has used up its numbers, and every
    later batch of that partition is then refused, for ever. So after any failed batch the producer is retired: new
    batches go to a new one, the old one lives on until the batches of other partitions that it has under way are
    answered. It is never stopped with batches whose fate is open: their numbers are what keeps copies out.
    """

    def __init__(self, settings: KafkaSettings, shared: dict[str, Any]):
        self._settings = settings
        self._shared = shared
        self._current: AIOKafkaProducer | None = None
        self._starting: asyncio.Task[AIOKafkaProducer] | None = None
        self._closed = False
        self._retired: dict[asyncio.Task[None], AIOKafkaProducer] = {}

    async def current(self) -> AIOKafkaProducer:
        """A started producer. Raises KafkaError, OSError or TimeoutError when none can be started now."""
        if self._closed:
            raise ProducerClosed
        if self._current is not None:
            return self._current
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
            self._starting.add_done_callback(self._started)
        return await asyncio.shield(self._starting)

    def _started(self, starting: "asyncio.Task[AIOKafkaProducer]") -> None:
        self._starting = None
        if not starting.cancelled() and starting.exception() is None:
            self._current = starting.result()

    async def _start(self) -> AIOKafkaProducer:
        compression = self._settings.compression
        producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            compression_type=None if compression == "none" else compression,
            max_batch_size=self._settings.max_batch_bytes,
            metadata_max_age_ms=60_000,
            **self._shared,
        )
        producer._message_accumulator._pending_batches = _Pending()  # noqa: SLF001 - there is no public way
        _keep_sent(producer._message_accumulator)  # noqa: SLF001
        try:
            async with asyncio.timeout(self._settings.request_timeout_seconds):
                await producer.start()
        except BaseException:
            await halt(producer, 0)
            raise
        return producer

    def retire(self, producer: AIOKafkaProducer) -> None:
        """Give that producer no new batches; stop it when all it has are answered."""
        if self._current is not producer:
            return
        self._current = None
        task = asyncio.create_task(_stop_when_idle(producer))
        self._retired[task] = producer
        task.add_done_callback(lambda done: self._retired.pop(done, None))

    def alive(self, producer: AIOKafkaProducer) -> bool:
        """Whether it was not stopped yet."""
        return producer in self._all()

    def takes_more(self, producer: AIOKafkaProducer) -> bool:
        """Whether it was not retired."""
        return producer is self._current

    def topics(self) -> list[str]:
        """The topics that any of them knows."""
        return sorted({topic for producer in self._all() for topic in producer.client.cluster.topics()})

    def learn(self, metadata: Any) -> None:
        """Tell all of them where brokers, topics and leaders are: aiokafka asks only the brokers that it knows already.

        They go on with the numbers that they gave their batches, wherever the brokers are now, so nothing is copied.
        """
        for producer in self._all():
            producer.client.cluster.update_metadata(metadata)

    def _all(self) -> list[AIOKafkaProducer]:
        return [*self._retired.values(), *([self._current] if self._current is not None else [])]

    async def close(self) -> None:
        """Stop all of them within bounds; what isn't acknowledged then is given up. For good."""
        self._closed = True
        if self._starting is not None:
            starting = self._starting
            starting.cancel()
            await asyncio.wait({starting})
            self._started(starting)
        retired = dict(self._retired)
        for task in retired:
            task.cancel()
        if retired:
            await asyncio.wait(retired)
        current, self._current = self._current, None
        await asyncio.gather(*(halt(producer, 0) for producer in retired.values()))
        if current is not None:
            await halt(current, STOP_SECONDS)


class _Pending(set[Any]):
    """aiokafka takes a batch out twice when it is given up while it waits to be sent again."""

    def remove(self, batch: Any) -> None:
        self.discard(batch)


def _keep_sent(accumulator: Any) -> None:
    """Have no batch given up that may have been written.

    aiokafka fails a batch that is older than the request timeout while its partition has no leader, also one that was
    sent and whose answer got lost: sent again by a new producer, it would be there twice. A partition without a leader
    (-1) will have one again. One that isn't known (None) is gone with all that was in it.
    """
    drain, seconds = accumulator.drain_by_nodes, accumulator._batch_ttl  # noqa: SLF001 - there is no public way

    def drain_by_nodes(*args: Any, **kwargs: Any) -> Any:
        for partition, (first, *_) in accumulator._batches.items():  # noqa: SLF001
            leaderless = accumulator._cluster.leader_for_partition(partition) == -1  # noqa: SLF001
            first._ttl = math.inf if leaderless and first.retry_count else seconds  # noqa: SLF001
        return drain(*args, **kwargs)

    accumulator.drain_by_nodes = drain_by_nodes


async def _stop_when_idle(producer: AIOKafkaProducer) -> None:
    await producer.flush()
    await halt(producer, STOP_SECONDS)


async def halt(producer: AIOKafkaProducer, seconds: float) -> None:
    """Stop a producer, waiting that long for its batches. aiokafka's own stop() may wait without end."""
    accumulator, sender = producer._message_accumulator, producer._sender  # noqa: SLF001 - there is no public way
    if seconds:
        with contextlib.suppress(TimeoutError, KafkaError, OSError):
            async with asyncio.timeout(seconds):
                await producer.flush()
    _give_up(accumulator)  # nothing is left that stop() could wait for
    if sender.sender_task is not None:
        await _cancel(sender.sender_task)
    for end in (producer.stop, producer.client.close):  # the second in case the first didn't come to it
        with contextlib.suppress(TimeoutError, KafkaError, OSError):
            async with asyncio.timeout(STOP_SECONDS):
                await end()


def _give_up(accumulator: Any) -> None:
    batches = [*itertools.chain(*accumulator._batches.values()), *accumulator._pending_batches]  # noqa: SLF001
    accumulator.fail_all(ProducerClosed())
    for batch in batches:
        if batch._drain_waiter.done():  # noqa: SLF001 - or asyncio complains of an error that nobody looked at
            batch._drain_waiter.exception()  # noqa: SLF001


async def _cancel(task: "asyncio.Task[None]") -> None:
    """Cancelled once, aiokafka's sender waits for its requests; so again. Its end, good or bad, is all that matters."""
    for _ in range(10):
        if task.done():
            break
        task.cancel()
        await asyncio.wait({task}, timeout=0.1)
    if task.done() and not task.cancelled():
        task.exception()
