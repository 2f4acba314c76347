"""Secrets change under a running router, as Kubernetes and Kafka's operators change them: nothing refused, lost or copied."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import ssl
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from router.feishu.push import build
from tests.broker import wire
from tests.broker.cluster import Cluster
from tests.broker.properties import PASSWORDS
from tests.doubles.receiver import Received, Receiver, slow
from tests.doubles.waiting import whole_lines
from tests.flow.feishu import TOKEN, Feishu, department
from tests.flow.program import Program, eventually
from tests.flow.targets import by_subject, check, in_files, in_kafka
from tests.rotation.worlds import Volume

SIGNING = [f"whsec_{base64.b64encode(f'signing secret {n} of the test'.encode()).decode()}" for n in (1, 2)]
KEYS = ["s3cr3t-key-1", "s3cr3t-key-2"]
BEARERS = ["s3cr3t-bearer-1", "s3cr3t-bearer-2"]
SOON = 30.0
"""A look every 2 s, two that agree, on a machine that has other things to do."""


async def soon(fact: Any, router: Program, seconds: float = SOON) -> None:
    await asyncio.to_thread(eventually, fact, seconds, router.tail)


def lines(router: Program, event: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in whole_lines(router.log) if line.startswith(b"{")]
    return [line for line in found if line["event"] == event]


def status_of(url: str, headers: dict[str, str], body: bytes | None = None) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def environ_of(volume: Volume, folder: Path, url: str) -> dict[str, str]:
    return {
        "FER_APP__ENCRYPT_KEY_FILE": volume.path("key"),
        "FER_APP__VERIFICATION_TOKEN_FILE": volume.path("token"),
        "FER_SINKS": "iam,archive",
        "FER_SINK__IAM__TYPE": "http",
        "FER_SINK__IAM__URL": url,
        "FER_SINK__IAM__BEARER_TOKEN_FILE": volume.path("bearer"),
        "FER_SINK__IAM__SIGNING_SECRETS_FILE": volume.path("signing"),
        "FER_SINK__ARCHIVE__TYPE": "file",
        "FER_SINK__ARCHIVE__PATH": f"{folder}/archive/{{event_type}}.jsonl",
    }


async def test_all_secrets_rotate_under_load_and_nothing_is_refused_lost_or_sent_twice(tmp_path: Path) -> None:
    first = {"key": KEYS[0], "token": TOKEN, "bearer": BEARERS[0], "signing": SIGNING[0]}
    volume = Volume(tmp_path / "volume", first)
    async with Receiver(behave=slow(0.05)) as receiver:
        with Program(tmp_path, environ_of(volume, tmp_path, receiver.url)) as router:
            feishu = Feishu(router.url, subjects=8, pause=0.02, key=KEYS[0])
            feishu.pushing.set()
            pushing = asyncio.create_task(feishu.run())
            try:
                await _rotate(volume, router, feishu, receiver)
            finally:
                pushing.cancel()
                await asyncio.gather(pushing, return_exceptions=True)
            await soon(router.settled, router)
            assert router.metric("fer_refused_total", status="401") == router.metric("fer_settings_kept") == 0
            assert status_of(router.url, *_push(feishu, KEYS[0])) == 401, "the old key is good for nothing now"
            assert router.stop() == 0
    _check_requests(receiver.requests)
    order = {id_: int(id_.split("-")[1]) for id_ in feishu.sent}
    bodies = [json.loads(request.body) for request in receiver.requests]
    for arrived in (by_subject(bodies, apart=False), by_subject(in_files(tmp_path / "archive"), apart=True)):
        assert check(arrived, feishu.all_answered, feishu.sent, order) == 0, "a rotation is no reason for copies"
    for secret in (*KEYS, *BEARERS, *SIGNING):
        for file in (router.log, *(tmp_path / "data").rglob("*"), *(tmp_path / "archive").rglob("*")):
            assert not file.is_file() or secret.encode() not in file.read_bytes(), file


async def _rotate(volume: Volume, router: Program, feishu: Feishu, receiver: Receiver) -> None:
    """Old, both, new: with the ingress's key changed in Feishu's console in between, and what was signed before answered."""
    await receiver.wait_for(20)
    both = {"key": "\n".join(KEYS), "token": TOKEN, "bearer": BEARERS[1], "signing": "\n".join(SIGNING)}
    volume.swap(both)
    await soon(lambda: router.metric("fer_reloads_total") == 2, router)
    await receiver.wait_for(len(receiver.requests) + 20)
    feishu.key = KEYS[1]
    answered = {subject: len(ids) for subject, ids in feishu.answered.items()}
    await soon(lambda: all(len(ids) > answered[subject] for subject, ids in feishu.answered.items()), router)
    volume.swap(both | {"key": KEYS[1], "signing": SIGNING[1]})
    await soon(lambda: router.metric("fer_reloads_total") == 4, router)
    await receiver.wait_for(len(receiver.requests) + 20)


def _push(feishu: Feishu, key: str) -> tuple[dict[str, str], bytes]:
    body, headers = build(department("d0", 0), key, time.time())
    return dict(headers), body


def _check_requests(requests: list[Received]) -> None:
    """Both credentials were used, one after the other, and each request was signed by what its time had."""
    bearers = [request.headers["authorization"].removeprefix("Bearer ") for request in requests]
    assert bearers == sorted(bearers), "an old token after a new one"
    assert set(bearers) == set(BEARERS)
    ages = {(True, False): 1, (True, True): 2, (False, True): 3}
    signed = [ages[_signers(request)] for request in requests]
    assert signed == sorted(signed), "an older signature after a newer one"
    assert set(signed) == {1, 2, 3}


def _signers(request: Received) -> tuple[bool, bool]:
    """Whether the first, and whether the second secret signed it."""
    head = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode()
    keys = [base64.b64decode(secret.removeprefix("whsec_")) for secret in SIGNING]
    digests = [base64.b64encode(hmac.new(key, head + request.body, hashlib.sha256).digest()).decode() for key in keys]
    first, second = (f"v1,{digest}" in request.headers["webhook-signature"].split() for digest in digests)
    return first, second


async def test_a_key_file_that_goes_away_leaves_the_key_in_use_and_its_return_is_taken_up(tmp_path: Path) -> None:
    volume = Volume(tmp_path / "volume", {"key": KEYS[0]})
    feishu = Feishu("")
    with Program(tmp_path, {"FER_APP__ENCRYPT_KEY_FILE": volume.path("key")}) as router:
        volume.swap({})
        await soon(lambda: router.metric("fer_settings_kept") == 1, router)
        [line] = lines(router, "settings_kept")
        assert "FER_APP__ENCRYPT_KEY_FILE: there is no file" in line["faults"][0]
        assert status_of(router.url, *_push(feishu, KEYS[0])) == 200
        volume.swap({"key": KEYS[1]})
        await soon(lambda: router.metric("fer_settings_kept") == 0, router)
        assert [status_of(router.url, *_push(feishu, key)) for key in KEYS] == [401, 200]
        assert [line["variables"] for line in lines(router, "settings_reloaded")] == [["FER_APP__ENCRYPT_KEY_FILE"]]
        assert router.stop() == 0


async def test_the_webhook_s_certificate_and_the_admin_token_are_renewed(tmp_path: Path) -> None:
    ca = trustme.CA()
    old, new = ({**_pair(ca), "admin": f"token-{n}"} for n in (1, 2))
    volume = Volume(tmp_path / "volume", old)
    environ = {
        "FER_TLS__CERT_FILE": volume.path("tls.crt"),
        "FER_TLS__KEY_FILE": volume.path("tls.key"),
        "FER_ADMIN__TOKEN_FILE": volume.path("admin"),
    }
    with Program(tmp_path, environ) as router, _open(router, ca) as connection:
        assert _certificate(router) == old["tls.crt"]
        volume.swap(old | {"tls.key": new["tls.key"]})
        await soon(lambda: router.metric("fer_settings_kept") == 1, router)
        assert _certificate(router) == old["tls.crt"], "half a pair was taken up"
        volume.swap(new)
        await soon(lambda: router.metric("fer_reloads_total") == 2, router)
        assert _certificate(router) == new["tls.crt"]
        admin = f"http://127.0.0.1:{router.admin}/"
        assert [status_of(admin, {"Authorization": f"Bearer token-{n}"}) for n in (1, 2)] == [401, 200]
        connection.sendall(b"GET /webhook/event HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 405"), "the connection from before goes on"
        assert router.stop() == 0


def _pair(ca: trustme.CA) -> dict[str, str]:
    cert = ca.issue_cert("127.0.0.1")
    return {"tls.crt": cert.cert_chain_pems[0].bytes().decode(), "tls.key": cert.private_key_pem.bytes().decode()}


def _certificate(router: Program) -> str:
    return ssl.get_server_certificate(("127.0.0.1", router.port))


@contextmanager
def _open(router: Program, ca: trustme.CA) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    with (
        socket.create_connection(("127.0.0.1", router.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        yield connection


@pytest.mark.timeout(240)
async def test_a_kafka_password_that_changes_in_the_file_first_is_taken_up_once_the_brokers_have_it(
    tmp_path: Path, kafka_secure: Cluster
) -> None:
    node = kafka_secure.nodes[0].ports["PLAINTEXT"]
    old, new = PASSWORDS["router"], f"new-{uuid.uuid4().hex}"
    volume = Volume(tmp_path / "volume", {"password": old})
    topic = f"s{uuid.uuid4().hex[:8]}"
    environ = {
        "FER_APP__ENCRYPT_KEY": KEYS[0],
        "FER_SINKS": "bus",
        "FER_SINK__BUS__TYPE": "kafka",
        "FER_SINK__BUS__BOOTSTRAP_SERVERS": kafka_secure.listeners("SASL_SSL"),
        "FER_SINK__BUS__TLS_CA_FILE": str(kafka_secure.certificates.ca),
        "FER_SINK__BUS__SASL_USERNAME": "router",
        "FER_SINK__BUS__SASL_PASSWORD_FILE": volume.path("password"),
        "FER_SINK__BUS__TOPIC": topic,
    }
    feishu = Feishu("", subjects=4, pause=0.1, key=KEYS[0])
    try:
        with Program(tmp_path, environ) as router:
            feishu.url = router.url
            feishu.pushing.set()
            pushing = asyncio.create_task(feishu.run())
            volume.swap({"password": new})
            await soon(lambda: router.metric("fer_settings_kept") == 1, router)
            assert "refused" in lines(router, "settings_kept")[0]["faults"][0]
            delivered = router.metric("fer_delivered_total")
            await soon(lambda: router.metric("fer_delivered_total") > delivered, router)
            wire.set_password(node, "router", new)
            await soon(lambda: router.metric("fer_reloads_total") == 1, router, 60)
            delivered = router.metric("fer_delivered_total")
            await soon(lambda: router.metric("fer_delivered_total") > delivered, router)
            pushing.cancel()
            await asyncio.gather(pushing, return_exceptions=True)
            await soon(router.settled, router)
            assert router.metric("fer_settings_kept") == 0
            assert router.stop() == 0
    finally:
        wire.set_password(node, "router", old)
    order = {id_: int(id_.split("-")[1]) for id_ in feishu.sent}
    arrived = by_subject(await in_kafka(kafka_secure.bootstrap, [topic]), apart=False)
    assert check(arrived, feishu.all_answered, feishu.sent, order) == 0, "a rotation is no reason for copies"
    assert old not in router.log.read_text()
    assert new not in router.log.read_text()
