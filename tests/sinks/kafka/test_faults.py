"""Faults of three brokers under load: nothing lost, each key in order, nobody else held up, and how long it took."""

import asyncio
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker import wire
from tests.broker.cluster import Cluster, launch
from tests.sinks.kafka.rig import rig
from tests.sinks.kafka.support import administrator, create, leader_of

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]
AWAY_SECONDS = float(os.environ.get("FAULT_SECONDS", "3"))
"""How long a broker is away or frozen: longer than the request timeout of the sinks here, 2 s."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with launch(3) as started:
        yield started


@pytest.fixture
def three(cluster: Cluster) -> Iterator[Cluster]:
    """All three are there before the test and after it."""
    yield cluster
    cluster.restore()


def port(kafka: Cluster, node: int = 1) -> int:
    return kafka.nodes[node - 1].ports["PLAINTEXT"]


async def test_the_leader_is_killed(three: Cluster, tmp_path: Path) -> None:
    async with rig(tmp_path, three.bootstrap) as world:
        await world.steady()
        three.kill(await leader_of(three, world.topics[0]))
        seconds = await world.caught_up()
        await world.end()
        await world.verify("leader killed", three.bootstrap, seconds)


async def test_the_controller_is_killed(three: Cluster, tmp_path: Path) -> None:
    async with rig(tmp_path, three.bootstrap) as world:
        await world.steady()
        three.kill(wire.controller(port(three)))
        seconds = await world.caught_up()
        await world.end()
        await world.verify("controller killed", three.bootstrap, seconds)


async def test_two_of_three_are_away(three: Cluster, tmp_path: Path) -> None:
    async with rig(tmp_path, three.bootstrap) as world:
        await world.steady()
        survivor = random.choice([1, 2, 3])
        for node in {1, 2, 3} - {survivor}:
            three.kill(node)
        await world.held_back()
        before = len(world.bus.delivered)
        await asyncio.sleep(AWAY_SECONDS)
        assert len(world.bus.delivered) == before, "one replica of three is not enough to be delivered"
        assert len(world.archive.delivered) > before, "the file sink goes on"
        await asyncio.to_thread(three.restore)
        seconds = await world.caught_up()
        await world.end()
        await world.verify("two of three away", three.bootstrap, seconds)


async def test_a_topic_that_lacks_a_replica_holds_only_itself(three: Cluster, tmp_path: Path) -> None:
    async with rig(tmp_path, three.bootstrap) as world:
        await create(three, world.topics[0], min_insync_replicas="3")
        await world.steady()
        three.kill(3)
        await world.held_back(world.topics[0])
        lacking = world.delivered_of(0)
        others = world.delivered_of(1)
        await asyncio.sleep(AWAY_SECONDS)
        assert world.delivered_of(0) == lacking
        assert world.delivered_of(1) > others, "the other topics go on"
        await asyncio.to_thread(three.restore)
        seconds = await world.caught_up()
        await world.end()
        await world.verify("too few replicas for one topic", three.bootstrap, seconds)


async def test_a_broker_hangs(three: Cluster, tmp_path: Path) -> None:
    async with rig(tmp_path, three.bootstrap) as world:
        await world.steady()
        hung = await leader_of(three, world.topics[0])
        three.pause(hung)
        begun = time.monotonic()
        await world.caught_up()
        seconds = time.monotonic() - begun
        await asyncio.sleep(max(0.0, AWAY_SECONDS - seconds))
        await asyncio.to_thread(three.restore)
        await world.caught_up()
        await world.end()
        await world.verify("broker hangs", three.bootstrap, seconds)


@pytest.mark.parametrize("topics", ["create", "require"])
async def test_a_topic_is_deleted(three: Cluster, tmp_path: Path, topics: str) -> None:
    """What was in it is gone with it; what it has acknowledged since is in the new one."""
    async with rig(tmp_path, three.bootstrap, topics=topics) as world:
        for name in world.topics if topics == "require" else ():
            await create(three, name)
        await world.steady()
        async with administrator(three.bootstrap) as admin:
            await admin.delete_topics([world.topics[0]])
        begun = time.monotonic()
        if topics == "require":
            await world.held_back(world.topics[0])
            others = world.delivered_of(1)
            await world.flow(100)
            assert world.delivered_of(1) > others, "the other topics go on"
            await create(three, world.topics[0])
            begun = time.monotonic()
        await world.caught_up()
        seconds = time.monotonic() - begun
        await world.end()
        gone = await world.lost_with(0, three.bootstrap)
        await world.verify(f"topic deleted, topics={topics}", three.bootstrap, seconds, gone=gone)


async def test_an_event_over_the_limit_is_dead_and_nothing_else(three: Cluster, tmp_path: Path) -> None:
    async with rig(tmp_path, three.bootstrap, topic_config="max.message.bytes=20000") as world:
        await world.steady()
        begun = time.monotonic()
        for _ in range(3):
            await world.push(world.types[0], "s0", size=30_000)
        await world.caught_up()
        seconds = time.monotonic() - begun
        await world.end()
        await world.verify("event over the limit", three.bootstrap, seconds, dead=3)


async def test_all_brokers_are_restarted_one_after_the_other(three: Cluster, tmp_path: Path) -> None:
    async with rig(tmp_path, three.bootstrap) as world:
        await world.steady()
        begun = time.monotonic()
        for node in (1, 2, 3):
            await asyncio.to_thread(three.stop, node)
            await asyncio.to_thread(three.restore)
        await world.caught_up()
        seconds = time.monotonic() - begun
        await world.end()
        await world.verify("rolling restart", three.bootstrap, seconds)
