"""The admin port over real sockets."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest
from pydantic import SecretStr

from router.admin.health import Condition
from router.admin.server import AdminServer
from router.settings.model import AdminSettings
from router.telemetry import Telemetry, facts
from router.telemetry.logs import make_logger
from tests.doubles.raw_http import Answer, RawClient, request


class Router:
    """A router whose condition the test sets."""

    def __init__(self) -> None:
        self.condition = Condition()
        self.address = ""

    def __call__(self) -> Condition:
        return self.condition

    async def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        async with RawClient(self.address) as client:
            await client.send(request(headers=headers, method=method, path=path))
            if method == "HEAD":
                head = (await client.reader.readuntil(b"\r\n\r\n")).decode()
                return Answer(int(head.split()[1]), {}, b"")
            return await client.answer()


@asynccontextmanager
async def admin(listen: str = "127.0.0.1:0", token: str | None = None) -> AsyncIterator[Router]:
    router = Router()
    telemetry = Telemetry(make_logger("info", "json", io.StringIO()))
    telemetry.emit(facts.STORED, app="hr")
    settings = AdminSettings(listen=listen, token=SecretStr(token) if token else None)
    server = AdminServer(settings, telemetry, router)
    (router.address,) = await server.start()
    router.address = router.address.replace("0.0.0.0", "127.0.0.1")
    try:
        yield router
    finally:
        assert await server.stop_accepting(5) == 0
        await server.close()
        await server.close()


async def test_healthy_and_ready() -> None:
    async with admin() as router:
        for path in ("/healthz", "/readyz", "/healthz/", "/readyz?verbose"):
            answer = await router.get(path)
            assert (answer.status, answer.headers["content-type"]) == (200, "application/json")


async def test_unready_names_the_reason_and_is_still_alive() -> None:
    async with admin() as router:
        router.condition = Condition(unready="draining")
        answer = await router.get("/readyz")
        assert (answer.status, orjson.loads(answer.body)["reason"]) == (503, "draining")
        assert (await router.get("/healthz")).status == 200


async def test_dead_is_neither_alive_nor_ready() -> None:
    async with admin() as router:
        router.condition = Condition(dead="the journal failed: disk on fire")
        for path in ("/healthz", "/readyz"):
            answer = await router.get(path)
            assert (answer.status, orjson.loads(answer.body)["reason"]) == (503, "the journal failed: disk on fire")


async def test_metrics_are_what_prometheus_reads() -> None:
    async with admin() as router:
        answer = await router.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=")
        assert b'fer_stored_total{app="hr"} 1.0' in answer.body


async def test_the_index_lists_the_rest() -> None:
    async with admin() as router:
        answer = await router.get("/")
        assert all(path in answer.body for path in (b"/healthz", b"/readyz", b"/metrics"))


async def test_unknown_paths_and_methods() -> None:
    async with admin() as router:
        assert (await router.get("/nothing")).status == 404
        answer = await router.get("/healthz", "POST")
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
        assert (await router.get("/healthz", "HEAD")).status == 200


@pytest.mark.parametrize(("authorization", "status"), [("", 401), ("Bearer wrong", 401), ("Bearer s3cret", 200)])
async def test_with_a_token_only_health_and_metrics_are_open(authorization: str, status: int) -> None:
    async with admin(token="s3cret") as router:
        answer = await router.get("/", Authorization=authorization)
        assert answer.status == status
        assert ("www-authenticate" in answer.headers) == (status == 401)
        for path in ("/healthz", "/readyz", "/metrics"):
            assert (await router.get(path)).status == 200


async def test_beyond_loopback_without_a_token_there_is_nothing_else() -> None:
    async with admin("0.0.0.0:0") as router:
        assert (await router.get("/")).status == 403
        assert (await router.get("/nothing")).status == 403
        assert (await router.get("/metrics")).status == 200


async def test_garbage_does_no_harm() -> None:
    async with admin() as router:
        async with RawClient(router.address) as client:
            await client.send(b"\x00\xff garbage\r\n\r\n")
            assert (await client.answer()).status == 400
        assert (await router.get("/healthz")).status == 200
