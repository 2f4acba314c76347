"""kill -9 under load: everything answered 200 is in every sink, stored once, each subject in order."""

import asyncio
import json
import os
import random
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.broker.cluster import Cluster
from tests.doubles.receiver import Receiver
from tests.flow.feishu import ENVIRON, TYPES, Feishu
from tests.flow.program import Program, eventually
from tests.flow.targets import by_subject, check, in_files, in_kafka, stored

pytestmark = pytest.mark.timeout(1200)
KILLS = int(os.environ.get("KILLS", "20"))
SEED = int(os.environ.get("SEED", str(random.randrange(1 << 30))))


async def test_nothing_answered_is_lost(tmp_path: Path, kafka: Cluster) -> None:
    print(f"SEED={SEED} KILLS={KILLS}")
    rng = random.Random(SEED)
    prefix = f"k{uuid.uuid4().hex[:8]}."
    async with Receiver() as receiver:
        router = Program(tmp_path, _environ(tmp_path, kafka, receiver.url, prefix))
        feishu = Feishu(router.url)
        router.start()
        pushing = asyncio.create_task(feishu.run())
        try:
            for _ in range(KILLS):
                feishu.pushing.set()
                await asyncio.sleep(rng.uniform(0.1, 1.5))
                await asyncio.to_thread(router.kill)
                await asyncio.to_thread(router.start)
                feishu.pushing.clear()
                await asyncio.to_thread(eventually, router.settled, 60.0, router.tail)
                _check_here(tmp_path, receiver, feishu)
        finally:
            pushing.cancel()
            await asyncio.gather(pushing, return_exceptions=True)
        await asyncio.to_thread(eventually, router.settled, 60.0, router.tail)
        assert await asyncio.to_thread(router.stop) == 0
    copies = _check_here(tmp_path, receiver, feishu)
    topics = [prefix + type_ for type_ in TYPES]
    in_topics = by_subject(await in_kafka(kafka.bootstrap, topics), apart=True)
    copies["kafka"] = check(in_topics, feishu.all_answered, feishu.sent, _order(feishu))
    print(f"answered {len(feishu.all_answered)}, pushed again {feishu.retries}, copies delivered {copies}")


def _environ(folder: Path, kafka: Cluster, url: str, prefix: str) -> dict[str, str]:
    return ENVIRON | {
        "FER_SINKS": "bus,iam,archive",
        "FER_SINK__BUS__TYPE": "kafka",
        "FER_SINK__BUS__BOOTSTRAP_SERVERS": kafka.bootstrap,
        "FER_SINK__BUS__TOPIC": prefix + "{event_type}",
        "FER_SINK__IAM__TYPE": "http",
        "FER_SINK__IAM__URL": url,
        "FER_SINK__ARCHIVE__TYPE": "file",
        "FER_SINK__ARCHIVE__PATH": f"{folder}/archive/{{event_type}}.jsonl",
    }


def _check_here(folder: Path, receiver: Receiver, feishu: Feishu) -> dict[str, int]:
    order, answered = _order(feishu), feishu.all_answered
    bodies: list[dict[str, Any]] = [json.loads(request.body) for request in receiver.requests]
    kept = stored(folder / "data" / "journal.db")
    assert max(kept.values()) == 1, "an event is stored twice"
    assert answered <= set(kept), "an event that was answered 200 is not in the journal"
    return {
        "http": check(by_subject(bodies, apart=False), answered, feishu.sent, order),
        "file": check(by_subject(in_files(folder / "archive"), apart=True), answered, feishu.sent, order),
    }


def _order(feishu: Feishu) -> dict[str, int]:
    """Place of each id in its subject's sequence; the id says it, since one that isn't answered yet may have arrived."""
    return {id_: int(id_.split("-")[1]) for id_ in feishu.sent}
