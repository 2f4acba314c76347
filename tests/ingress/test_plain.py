"""Answers that no handler gave."""

import io

import pytest
from aiohttp import web

from router.clock import SystemClock
from router.ingress.connection import Connection
from router.ingress.server import Handler, HttpServer, ServerLimits
from router.settings.address import parse_address
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger
from tests.doubles.raw_http import RawClient
from tests.doubles.sending import counted, still_works
from tests.doubles.webhooks import webhook


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 secret\r\n\r\n",
        b"GET / HTTP/9.secret\r\n\r\n",
        b"POST /webhook/event HTTP/1.1\r\nsecret\x00: 1\r\n\r\n",
        b"POST /webhook/event HTTP/1.1\r\nContent-Length: secret\r\n\r\n",
        b"GET /" + b"secret" * 2000 + b" HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_neither_quoted_nor_told_who_serves(data: bytes) -> None:
    async with webhook() as hook:
        async with hook.client() as client:
            answer = await client.push(data)
            assert await client.rest() == b""
        assert (answer.status, answer.body) == (400, b"Bad Request\n")
        assert answer.headers["server"] == "feishu-event-router"
        await counted(hook, "not_http", "400")
        assert "secret" not in hook.log.getvalue()
        assert '"status":"400"' in hook.log.getvalue()
        await still_works(hook)


async def broken(request: web.BaseRequest, connection: Connection) -> web.Response:
    raise RuntimeError("a secret bug")


async def websocket(request: web.BaseRequest, connection: Connection) -> web.StreamResponse:
    response = web.WebSocketResponse()
    await response.prepare(request)
    return response


async def response(request: web.BaseRequest, connection: Connection) -> web.Response:
    return web.Response()


UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
)


@pytest.mark.parametrize(
    ("handler", "version", "status"), [(response, "1.1", 200), (response, "2.0", 505), (websocket, "1.1", 101)]
)
async def test_no_answer_says_which_python_and_which_library(handler: Handler, version: str, status: int) -> None:
    telemetry = Telemetry(make_logger("info", "json", io.StringIO()))
    server = HttpServer("webhook", handler, ServerLimits(10, 5.0, 5.0), telemetry, SystemClock())
    (address,) = await server.start(parse_address("127.0.0.1:0"))
    try:
        async with RawClient(address) as client:
            await client.send(f"GET / HTTP/{version}\r\nHost: x\r\n{UPGRADE}\r\n".encode())
            head = (await client.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        assert head[0].split()[1] == str(status)
        assert [line for line in head if line.startswith("Server:")] == ["Server: feishu-event-router"]
    finally:
        await server.close()


async def test_a_handler_that_raises_is_a_500_that_tells_nothing() -> None:
    log = io.StringIO()
    telemetry = Telemetry(make_logger("info", "json", log))
    server = HttpServer("webhook", broken, ServerLimits(10, 5.0, 5.0), telemetry, SystemClock())
    (address,) = await server.start(parse_address("127.0.0.1:0"))
    try:
        async with RawClient(address) as client:
            answer = await client.push(b"GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n")
        assert (answer.status, answer.body) == (500, b"Internal Server Error\n")
        assert answer.headers["server"] == "feishu-event-router"
        assert "worker_crashed" in log.getvalue()
    finally:
        await server.close()
