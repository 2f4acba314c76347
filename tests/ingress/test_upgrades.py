"""Connections that go on as something else than HTTP: a server's limits of requests are theirs no longer."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast

import aiohttp
from aiohttp import web

from router.clock import SystemClock
from router.ingress.connection import Connection
from router.ingress.server import HttpServer, ServerLimits
from router.settings.address import Address
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger
from tests.doubles.raw_http import RawClient, request
from tests.doubles.waiting import until

UPGRADE = request(
    headers={
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    },
    method="GET",
)
LIMITS = ServerLimits(max_connections=4, read_timeout=0.5, keepalive=0.5, max_unfinished=1 << 16)


class Echo:
    """Answers each message with itself; POST without an upgrade gets 200."""

    def __init__(self, limits: ServerLimits) -> None:
        self.out = io.StringIO()
        telemetry = Telemetry(make_logger("info", "json", self.out))
        self.server = HttpServer("echo", self._handle, limits, telemetry, SystemClock())
        self.ended = 0

    async def _handle(self, asked: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        connection.take()
        try:
            if "Upgrade" not in asked.headers:
                return self.server.finish(web.Response(), asked, connection)
            socket_ = web.WebSocketResponse(compress=False)
            await socket_.prepare(asked)
            connection.upgrade()
            async for message in socket_:
                await socket_.send_bytes(message.data)
            return socket_
        finally:
            self.ended += 1
            connection.done()


@asynccontextmanager
async def echoing(limits: ServerLimits = LIMITS) -> AsyncIterator[tuple[Echo, aiohttp.ClientSession, str]]:
    echo = Echo(limits)
    [address] = await echo.server.start(Address("127.0.0.1", 0))
    async with aiohttp.ClientSession() as session:
        yield echo, session, f"http://{address}/"
    await echo.server.close()


async def test_what_comes_after_an_upgrade_is_no_unfinished_request() -> None:
    """Else it would end those whose requests really are."""
    limits = replace(LIMITS, read_timeout=30.0)
    async with echoing(limits) as (_, session, url), RawClient(url[7:-1]) as other, session.ws_connect(url) as client:
        await other.send(UPGRADE[:20])
        for _ in range(20):  # many times what unfinished requests may hold
            await client.send_bytes(b"x" * (1 << 15))
            assert len((await client.receive(30)).data) == 1 << 15
        assert (await other.push(UPGRADE[20:])).status == 101


async def test_an_upgraded_connection_has_no_time_limit_of_requests_and_gives_way_to_none() -> None:
    async with echoing() as (echo, session, url), session.ws_connect(url) as client:
        await asyncio.sleep(1.2)  # more than a head, a body or an idle connection may take
        idle = [await asyncio.open_connection(*echo_address(url)) for _ in range(5)]
        await until(lambda: "too_many_connections" in echo.out.getvalue())
        await client.send_bytes(b"still here")
        assert (await client.receive(30)).data == b"still here"
        for _, writer in idle:
            writer.close()


async def test_an_upgraded_connection_ends_with_its_peer() -> None:
    async with echoing() as (echo, _, url), RawClient(url[7:-1]) as client:
        assert (await client.push(UPGRADE)).status == 101
        client.writer.write_eof()
        await until(lambda: echo.ended == 1 and echo.server.open_connections == 0)


async def test_a_peer_that_reads_nothing_of_an_upgraded_connection_is_cut_off() -> None:
    async with echoing() as (echo, _, url), RawClient(url[7:-1]) as client:
        assert (await client.push(UPGRADE)).status == 101
        cast("asyncio.Transport", client.writer.transport).pause_reading()
        message = b"\x82\xff" + (1 << 20).to_bytes(8, "big") + bytes(4) + bytes(1 << 20)  # binary, masked with zeros
        async with asyncio.timeout(30):
            while echo.server.open_connections:
                client.writer.write(message)
                await asyncio.sleep(0.01)
        assert "answer_not_read" in echo.out.getvalue()


def echo_address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").rstrip("/").rpartition(":")
    return host, int(port)
