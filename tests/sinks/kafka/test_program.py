"""The whole router as a program before three brokers that fail: every push is answered, everything arrives once."""

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.broker.cluster import Cluster, launch
from tests.flow.feishu import ENVIRON, TYPES, Feishu
from tests.flow.program import Program, eventually
from tests.flow.targets import by_subject, check, in_files, in_kafka
from tests.sinks.kafka.support import leader_of

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]
AWAY_SECONDS = float(os.environ.get("FAULT_SECONDS", "3"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with launch(3) as started:
        yield started


@pytest.fixture
def three(cluster: Cluster) -> Iterator[Cluster]:
    """All three are there before the test and after it."""
    yield cluster
    cluster.restore()


def environ(folder: Path, kafka: Cluster, prefix: str) -> dict[str, str]:
    return ENVIRON | {
        "FER_SINKS": "bus,archive",
        "FER_SINK__BUS__TYPE": "kafka",
        "FER_SINK__BUS__BOOTSTRAP_SERVERS": kafka.bootstrap,
        "FER_SINK__BUS__TOPIC": prefix + "{event_type}",
        "FER_SINK__BUS__REQUEST_TIMEOUT_SECONDS": "2",
        "FER_SINK__BUS__DELIVER_TIMEOUT_SECONDS": "4",
        "FER_SINK__ARCHIVE__TYPE": "file",
        "FER_SINK__ARCHIVE__PATH": f"{folder}/archive/{{event_type}}.jsonl",
    }


@contextlib.asynccontextmanager
async def under_load(folder: Path, kafka: Cluster, prefix: str) -> AsyncIterator[Program]:
    """A router that Feishu pushes to. At the end all brokers are there again, and everything has arrived once, in order."""
    with Program(folder, environ(folder, kafka, prefix)) as router:
        feishu = Feishu(router.url, pause=0.1)
        feishu.pushing.set()
        pushing = asyncio.create_task(feishu.run())
        await asyncio.to_thread(eventually, lambda: delivered(router, "bus") > 100, 60.0, router.tail)
        yield router
        await asyncio.to_thread(kafka.restore)
        feishu.pushing.clear()
        await asyncio.to_thread(eventually, lambda: feishu.sent == feishu.all_answered, 30.0, router.tail)
        pushing.cancel()
        await asyncio.gather(pushing, return_exceptions=True)
        await asyncio.to_thread(eventually, router.settled, 90.0, router.tail)
        assert router.metric("fer_dead_total") == 0
        assert await asyncio.to_thread(router.stop) == 0
    order = {id_: int(id_.split("-")[1]) for id_ in feishu.sent}
    for events in (await in_kafka(kafka.bootstrap, [prefix + type_ for type_ in TYPES]), in_files(folder / "archive")):
        assert check(by_subject(events, apart=True), feishu.all_answered, feishu.sent, order) == 0, "copies"


def delivered(router: Program, sink: str) -> float:
    return router.metric("fer_delivered_total", sink=sink)


async def grows(router: Program, sink: str, by: int = 50) -> None:
    wanted = delivered(router, sink) + by
    await asyncio.to_thread(eventually, lambda: delivered(router, sink) >= wanted, 60.0, router.tail)


async def test_two_of_three_are_away(three: Cluster, tmp_path: Path) -> None:
    prefix = f"p{uuid.uuid4().hex[:8]}."
    async with under_load(tmp_path, three, prefix) as router:
        held = router.metric("fer_unavailable_total")
        three.kill(1)
        three.kill(2)
        await asyncio.to_thread(eventually, lambda: router.metric("fer_unavailable_total") > held, 60.0, router.tail)
        before = delivered(router, "bus")
        await asyncio.sleep(AWAY_SECONDS)
        await grows(router, "archive")
        assert delivered(router, "bus") == before, "one replica of three is not enough to be delivered"


async def test_a_broker_hangs(three: Cluster, tmp_path: Path) -> None:
    prefix = f"p{uuid.uuid4().hex[:8]}."
    async with under_load(tmp_path, three, prefix) as router:
        three.pause(await leader_of(three, prefix + TYPES[0]))
        await grows(router, "archive")
        await grows(router, "bus", 200)
        await asyncio.sleep(AWAY_SECONDS)
