"""Kafka away: every push is answered in time all the same, and everything is there afterwards."""

import asyncio
import os
import uuid
from pathlib import Path

import pytest

from tests.broker.cluster import Cluster
from tests.doubles.noise import Noise
from tests.flow.feishu import ENVIRON, TYPES, Feishu
from tests.flow.program import Program, eventually
from tests.flow.targets import by_subject, check, in_files, in_kafka

pytestmark = pytest.mark.timeout(300)
AWAY_SECONDS = float(os.environ.get("AWAY_SECONDS", "20"))


def delivered(router: Program, sink: str) -> float:
    return router.metric("fer_delivered_total", sink=sink)


async def test_kafka_stopped_under_load(tmp_path: Path, kafka_own: Cluster) -> None:
    prefix = f"o{uuid.uuid4().hex[:8]}."
    environ = ENVIRON | {
        "FER_SINKS": "bus,archive",
        "FER_SINK__BUS__TYPE": "kafka",
        "FER_SINK__BUS__BOOTSTRAP_SERVERS": kafka_own.bootstrap,
        "FER_SINK__BUS__TOPIC": prefix + "{event_type}",
        "FER_SINK__ARCHIVE__TYPE": "file",
        "FER_SINK__ARCHIVE__PATH": f"{tmp_path}/archive/{{event_type}}.jsonl",
    }
    noise = Noise(tmp_path / "noise")
    with Program(tmp_path, environ) as router:
        feishu = Feishu(router.url, pause=0.05)
        feishu.pushing.set()
        pushing = asyncio.create_task(feishu.run())
        await asyncio.sleep(2)
        await asyncio.to_thread(kafka_own.kill)
        await asyncio.sleep(AWAY_SECONDS)
        assert router.metric("fer_sink_state", sink="bus", state="unavailable") == 1, router.tail()
        stored = router.metric("fer_stored_total")
        await asyncio.to_thread(eventually, lambda: delivered(router, "archive") >= stored, 30.0, router.tail)
        assert delivered(router, "bus") < stored, "Kafka is there again: that the other sink goes on was not seen"
        await asyncio.to_thread(kafka_own.start)
        await asyncio.to_thread(kafka_own.wait)
        await asyncio.sleep(1)
        feishu.pushing.clear()
        await asyncio.sleep(0.5)
        pushing.cancel()
        await asyncio.gather(pushing, return_exceptions=True)
        await asyncio.to_thread(eventually, router.settled, 90.0, router.tail)
        assert router.metric("fer_dead_total") == 0
        assert router.stop() == 0
    noise.ended.set()
    assert feishu.retries == 0 or noise.worst > 1.0, "a push had to be repeated"
    order = {id_: at for ids in feishu.answered.values() for at, id_ in enumerate(ids)}
    topics = [prefix + type_ for type_ in TYPES]
    check(by_subject(await in_kafka(kafka_own.bootstrap, topics), apart=True), feishu.all_answered, feishu.sent, order)
    copies = check(by_subject(in_files(tmp_path / "archive"), apart=True), feishu.all_answered, feishu.sent, order)
    assert copies == 0
