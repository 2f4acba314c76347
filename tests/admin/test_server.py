"""The admin port over real sockets."""

import asyncio
import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from pydantic import SecretStr

from router.admin import server as module
from router.admin.api import BODY_MAX, Api
from router.admin.health import Condition
from router.admin.server import LIMITS, AdminServer
from router.settings.model import AdminSettings
from router.telemetry import Telemetry, facts
from router.telemetry.logs import make_logger
from tests.doubles.operators import MemoryOperators, letter, row
from tests.doubles.raw_http import Answer, RawClient, request
from tests.doubles.waiting import until


class Router:
    """A router whose condition the test sets."""

    def __init__(self) -> None:
        self.condition = Condition()
        self.address = ""
        self.log = io.StringIO()

    def __call__(self) -> Condition:
        return self.condition

    async def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        return await self.ask(method, path, b"", "", **headers)

    async def ask(self, method: str, path: str, body: bytes = b"", host: str = "", **headers: str) -> Answer:
        async with RawClient(self.address) as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            whole = request(body, named, method=method, path=path)
            await client.send(whole.replace(b"router.test", (host or self.address).encode(), 1))
            if method == "HEAD":
                head = (await client.reader.readuntil(b"\r\n\r\n")).decode()
                return Answer(int(head.split()[1]), {}, b"")
            return await client.answer()

    async def post(self, path: str, document: object = None, **headers: str) -> Answer:
        headers.setdefault("Content_Type", "application/json")
        return await self.ask("POST", path, b"" if document is None else orjson.dumps(document), **headers)

    @property
    def logged(self) -> list[dict[str, object]]:
        lines = [orjson.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if line["event"] == "operator_action"]


@asynccontextmanager
async def admin(
    listen: str = "127.0.0.1:0",
    token: str | None = None,
    operators: MemoryOperators | None = None,
    socket_path: Path | None = None,
) -> AsyncIterator[Router]:
    router = Router()
    telemetry = Telemetry(make_logger("info", "json", router.log))
    telemetry.emit(facts.STORED, app="hr")
    settings = AdminSettings(listen=listen, token=SecretStr(token) if token else None)
    server = AdminServer(settings, telemetry, router, operators=operators, socket_path=socket_path)
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
        assert b"/api/v1" not in answer.body
    async with admin(operators=MemoryOperators()) as router:
        answer = await router.get("/")
        for route in Api.ROUTES:
            assert f"{route.method:<6} /api/v1{route.path} " in answer.body.decode()


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


# The API over HTTP

LETTERS = "/api/v1/dead-letters"


async def test_without_operators_there_is_no_api() -> None:
    async with admin() as router:
        assert (await router.get("/api/v1/sinks")).status == 404


async def test_questions_are_answered_in_json() -> None:
    operators = MemoryOperators({"iam": row("iam")}, [letter(n) for n in range(1, 4)])
    async with admin(operators=operators) as router:
        answer = await router.get("/api/v1/sinks/")
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        assert [sink["name"] for sink in orjson.loads(answer.body)["sinks"]] == ["iam"]
        answer = await router.get(f"{LETTERS}?limit=2&type=corehr.%2A&type=!x")
        assert [one["id"] for one in orjson.loads(answer.body)["letters"]] == [1, 2]
        assert (await router.get(LETTERS, "HEAD")).status == 200
        answer = await router.get(f"{LETTERS}/9")
        assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
        assert orjson.loads(answer.body)["detail"] == "there is no dead letter 9"


async def test_changes_are_written_to_the_log_with_who_made_them() -> None:
    operators = MemoryOperators({"iam": row("iam")}, [letter(1)])
    async with admin(operators=operators) as router:
        assert (await router.post("/api/v1/sinks/iam/pause")).status == 200
        assert (await router.post(f"{LETTERS}/purge", {"filter": {"sink": "iam"}})).status == 200
        assert (await router.get("/api/v1/sinks")).status == 200
        first, second = router.logged
    assert (first["action"], first["what"], first["client"]) == ("pause", "sink iam", "127.0.0.1")
    assert (second["action"], second["what"], second["done"]) == ("purge", 'dead letters {"sink":"iam"}', 1)


async def test_a_long_question_holds_up_no_probe() -> None:
    operators = MemoryOperators(gate=asyncio.Event())
    async with admin(operators=operators) as router:
        asked = asyncio.create_task(router.get("/api/v1/sinks"))
        await until(lambda: bool(operators.asked))
        assert (await router.get("/healthz")).status == 200
        assert (await router.get("/metrics")).status == 200
        assert not asked.done()
        assert operators.gate is not None
        operators.gate.set()
        assert (await asked).status == 200


@pytest.mark.parametrize(
    ("headers", "host", "status"),
    [
        ({}, "", 200),
        ({}, "localhost", 200),
        ({}, "[::1]:9464", 200),
        ({}, "rebound.example", 403),
        ({}, "127.0.0.1.rebound.example", 403),
        ({"Origin": "https://evil.example"}, "", 403),
        ({"Origin": "null"}, "", 403),
        ({"Origin": "http://localhost:9464"}, "localhost:9464", 200),
        ({"Content_Type": "text/plain"}, "", 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, "", 415),
        ({"Content_Type": "application/json; charset=utf-8"}, "", 200),
    ],
)
async def test_no_page_in_a_browser_can_do_harm(headers: dict[str, str], host: str, status: int) -> None:
    operators = MemoryOperators({"iam": row("iam")})
    async with admin(operators=operators) as router:
        answer = await router.post("/api/v1/sinks/iam/pause", host=host, **headers)
        assert answer.status == status
        assert operators.rows["iam"].state == ("paused" if status == 200 else "running")
        assert (await router.ask("GET", "/healthz", host=host)).status == 200


async def test_with_a_token_any_host_but_no_foreign_origin() -> None:
    operators = MemoryOperators({"iam": row("iam")})
    async with admin(token="s3cret", operators=operators) as router:
        bearer = {"Authorization": "Bearer s3cret"}
        assert (await router.post("/api/v1/sinks/iam/pause")).status == 401
        assert (await router.post("/api/v1/sinks/iam/pause", host="fer.example", **bearer)).status == 200
        assert (await router.post("/api/v1/sinks/iam/pause", Origin="http://x.example", **bearer)).status == 403


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "0.0.0.0:0"])
async def test_the_token_can_be_changed(listen: str) -> None:
    settings = AdminSettings(listen=listen, token=SecretStr("old"))
    server = AdminServer(settings, Telemetry(make_logger("info", "json", io.StringIO())), Router())
    router = Router()
    (router.address,) = await server.start()
    router.address = router.address.replace("0.0.0.0", "127.0.0.1")
    try:
        assert (await router.get("/", Authorization="Bearer old")).status == 200
        server.use_token("new")
        assert (await router.get("/", Authorization="Bearer old")).status == 401
        assert (await router.get("/", Authorization="Bearer new")).status == 200
    finally:
        await server.close()


async def test_beyond_loopback_without_a_token_there_is_no_api() -> None:
    operators = MemoryOperators({"iam": row("iam")})
    async with admin("0.0.0.0:0", operators=operators) as router:
        assert (await router.post("/api/v1/sinks/iam/pause", host="127.0.0.1")).status == 403
        assert operators.asked == []


async def test_bodies_are_bounded() -> None:
    operators = MemoryOperators(kept=[letter(1)])
    async with admin(operators=operators) as router:
        fitting = orjson.dumps({"filter": {"sink": ["x" * 50] * 100}}) + b" " * 50_000
        assert len(fitting) <= BODY_MAX
        json = {"Content_Type": "application/json"}
        assert (await router.ask("POST", f"{LETTERS}/purge", fitting, **json)).status == 200
        answer = await router.ask("POST", f"{LETTERS}/purge", b" " * (BODY_MAX + 1), **json)
        assert answer.status == 413
        async with RawClient(router.address) as client:
            head = f"POST {LETTERS}/purge HTTP/1.1\r\nHost: {router.address}\r\nContent-Length: 9\r\n\r\n"
            await client.send(head.encode())
            client.writer.write_eof()
            assert await client.rest() == b""
        assert (await router.get("/healthz")).status == 200
        assert len(operators.kept) == 1


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, read_timeout=0.3))
    async with admin(operators=MemoryOperators()) as router, RawClient(router.address) as client:
        head = f"POST {LETTERS}/purge HTTP/1.1\r\nHost: {router.address}\r\nContent-Length: 9\r\n\r\n{{"
        await client.send(head.encode())
        answer = await client.answer()
        assert (answer.status, b"not complete within 0.3 s" in answer.body) == (408, True)
        assert (await router.get("/healthz")).status == 200


async def test_the_socket_in_the_data_directory_needs_no_token(tmp_path: Path) -> None:
    operators = MemoryOperators({"iam": row("iam")})
    path = tmp_path / "admin.sock"
    async with admin("0.0.0.0:0", "s3cret", operators, path) as router:
        assert path.stat().st_mode & 0o777 == 0o600
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"POST /api/v1/sinks/iam/pause HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
        writer.write(b"Content-Length: 0\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"200"
        writer.close()
        assert operators.rows["iam"].state == "paused"
        assert router.logged[0]["client"] == f"local user {os.getuid()}, process {os.getpid()}"
        assert (await router.get("/api/v1/sinks")).status == 401
    assert not path.exists()


async def test_a_socket_that_cannot_be_made_is_only_a_warning(tmp_path: Path) -> None:
    (tmp_path / "admin.sock").mkdir()
    async with admin(operators=MemoryOperators(), socket_path=tmp_path / "admin.sock") as router:
        assert (await router.get("/api/v1/sinks")).status == 200
        assert "admin_socket_missing" in router.log.getvalue()
    assert (tmp_path / "admin.sock").is_dir()
