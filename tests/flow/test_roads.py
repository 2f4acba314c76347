"""The whole router as a program: five documented events in, encrypted and signed; out to Kafka, HTTP and files."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from pathlib import Path

import aiohttp

from router.feishu.push import build
from router.feishu.samples import sample, seed_types
from tests.broker.cluster import Cluster
from tests.doubles.receiver import Receiver
from tests.flow.feishu import ENVIRON, KEY, TOKEN, department
from tests.flow.program import Program, eventually
from tests.flow.targets import in_files, in_kafka

SECRET = base64.b64encode(b"a secret for signing webhooks").decode()


def settings(folder: Path, kafka: Cluster, url: str, topic: str = "feishu.{event_type}") -> dict[str, str]:
    """Three sinks: a Kafka topic per event type, a signed HTTP forwarder, files."""
    return ENVIRON | {
        "FER_SINKS": "bus,iam,archive",
        "FER_SINK__BUS__TYPE": "kafka",
        "FER_SINK__BUS__BOOTSTRAP_SERVERS": kafka.bootstrap,
        "FER_SINK__BUS__TOPIC": topic,
        "FER_SINK__IAM__TYPE": "http",
        "FER_SINK__IAM__URL": url,
        "FER_SINK__IAM__SIGNING_SECRETS": f"whsec_{SECRET}",
        "FER_SINK__ARCHIVE__TYPE": "file",
        "FER_SINK__ARCHIVE__PATH": f"{folder}/archive/{{date}}/{{event_type}}.jsonl",
    }


async def test_the_five_events_reach_kafka_http_and_files(tmp_path: Path, kafka: Cluster) -> None:
    prefix = f"r{uuid.uuid4().hex[:8]}."
    async with Receiver() as receiver:
        with Program(tmp_path, settings(tmp_path, kafka, receiver.url, prefix + "{event_type}")) as router:
            sent = router.send()
            assert sent.returncode == 0, sent.stdout + sent.stderr
            requests = await receiver.wait_for(5)
            eventually(router.settled, 30, router.tail)
            assert router.metric("fer_stored_total") == 5
            assert router.stop() == 0
    topics = [prefix + type_ for type_ in seed_types()]
    in_topics = await in_kafka(kafka.bootstrap, topics)
    documents = [json.loads(request.body) for request in requests]
    assert len(in_topics) == 5
    for arrived in (in_topics, documents, in_files(tmp_path / "archive")):
        assert {event["type"]: event["data"] for event in arrived} == {
            type_: sample(type_)["event"] for type_ in seed_types()
        }
    for request in requests:
        _verify(request.headers, request.body)
    _no_secret(tmp_path)


def _verify(headers: object, body: bytes) -> None:
    """Standard Webhooks: HMAC-SHA-256 over id, timestamp and body."""
    assert hasattr(headers, "__getitem__")
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(base64.b64decode(SECRET), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert json.loads(body)["id"] == headers["webhook-id"]


def _no_secret(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert KEY.encode() not in content, file
            assert TOKEN.encode() not in content, file
            assert SECRET.encode() not in content, file


async def test_a_copy_is_stored_once_also_after_a_restart(tmp_path: Path) -> None:
    router = Program(tmp_path, ENVIRON)
    with router:
        assert router.send("--repeat", "3", "--type", seed_types()[0]).returncode == 0
        assert router.metric("fer_stored_total") == 1
        assert router.metric("fer_duplicates_total") == 3
        assert router.stop() == 0
    assert len(in_files(tmp_path / "data")) == 1


async def test_a_push_again_after_a_restart_is_a_duplicate(tmp_path: Path) -> None:
    body, headers = build(department("d1", 1), KEY, time.time())
    router = Program(tmp_path, ENVIRON)
    for how in (router.stop, router.kill, router.kill):
        with router:
            async with (
                aiohttp.ClientSession() as session,
                session.post(router.url, data=body, headers=headers) as answer,
            ):
                assert (answer.status, await answer.json()) == (200, {"msg": "success"})
            eventually(router.settled, 30, router.tail)
            how()
    assert len(in_files(tmp_path / "data")) == 1


def test_challenge_and_wrong_key(tmp_path: Path) -> None:
    with Program(tmp_path, ENVIRON) as router:
        assert router.send("--challenge").returncode == 0
        router.environ["FER_APP__ENCRYPT_KEY"] = "another"
        wrong = router.send()
        assert wrong.returncode == 1
        assert "401" in wrong.stdout
        assert router.metric("fer_stored_total") == 0
        assert router.metric("fer_refused_total", status="401") == 5
        assert router.stop() == 0
