"""Many connections."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from aiohttp import web

from router.clock import SystemClock
from router.ingress.connection import Connection
from router.ingress.server import HttpServer, ServerLimits
from router.settings.address import Address, parse_address
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger
from tests.doubles.commanded_journal import CommandedJournal
from tests.doubles.raw_http import RawClient, request
from tests.doubles.sending import counted, good, still_works
from tests.doubles.waiting import until
from tests.doubles.webhooks import Hook, webhook


@asynccontextmanager
async def crowd(hook: Hook, count: int) -> AsyncIterator[list[RawClient]]:
    """That many connections, the first one the oldest."""
    async with AsyncExitStack() as stack:
        clients = []
        for number in range(count):
            clients.append(await stack.enter_async_context(hook.client()))
            await until(lambda expected=number + 1: hook.server.open_connections == expected)  # type: ignore[misc]
        yield clients


async def test_where_there_are_too_many_the_longest_idle_gives_way() -> None:
    async with webhook(max_connections=3) as hook, crowd(hook, 3) as (first, second, third):
        assert (await first.push(good("e-1"))).status == 200
        await still_works(hook)
        await counted(hook, "too_many_connections", "closed")
        assert await second.rest() == b""
        for client in (first, third):
            assert (await client.push(good("e-2"))).status == 200


@pytest.mark.parametrize("beginning", [b"", b"POST /web", good()[:-5]], ids=["silent", "head", "body"])
async def test_peers_that_keep_us_waiting_keep_nobody_out(beginning: bytes) -> None:
    async with webhook(max_connections=3) as hook, crowd(hook, 3) as clients:
        for client in clients:
            await client.send(beginning)
        await until(lambda: hook.server.in_flight == 3 if b"\r\n\r\n" in beginning else True)
        for number in range(5):
            assert (await hook.push(good(f"e-{number}"))).status == 200
        assert await clients[0].rest() == b""
        assert hook.refused("too_many_connections", "closed") >= 1


async def test_those_that_wait_for_their_answer_stay() -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal, max_connections=2) as hook, crowd(hook, 2) as clients:
        for number, client in enumerate(clients):
            await client.send(good(f"e-{number}"))
        await journal.wait_appended(2)
        async with hook.client() as extra:
            assert await extra.rest() == b""
        await counted(hook, "too_many_connections", "closed")
        journal.commit()
        assert [(await client.answer()).status for client in clients] == [200, 200]


async def test_a_thousand_idle_connections_hold_nothing_up() -> None:
    async with webhook(max_connections=1001, keepalive_seconds=60) as hook:
        clients = [hook.client() for _ in range(1000)]
        await asyncio.gather(*(client.__aenter__() for client in clients))
        await until(lambda: hook.server.open_connections == 1000)
        await still_works(hook)
        assert await hook.server.stop_accepting(5) == 0
        for client in clients:
            await client.__aexit__()


FAT = b"X-A: " + b"x" * 4000 + b"\r\n"
HEAD = b"POST /webhook/event HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    "beginning", [HEAD, HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"], ids=["head", "trailers"]
)
async def test_what_is_held_for_unfinished_requests_is_bounded(
    beginning: bytes,
) -> None:
    async with (
        webhook(max_in_flight_bytes=1 << 20) as hook,
        crowd(hook, 100) as clients,
    ):
        for client in clients:
            with suppress(ConnectionError):
                await client.send(beginning + FAT * 10)
        await until(lambda: hook.refused("too_much_unfinished", "closed") > 0)
        assert hook.server._server._unfinished <= 1 << 20
        await still_works(hook)
        assert await clients[0].rest() == b""
        await hook.server.stop_accepting(0)
        await hook.server.close()
        await until(lambda: hook.server.open_connections == 0)
        assert hook.server._server._unfinished == 0


async def test_what_is_answered_is_held_no_more() -> None:
    async with webhook() as hook, hook.client() as client:
        for n in range(3):
            data = good(f"e-{n}", size=10_000)
            for piece in (data[:100], data[100:5000], data[5000:]):
                await client.send(piece)
                await asyncio.sleep(0.01)
            assert (await client.answer()).status == 200
            assert hook.server._server._unfinished == 0


async def test_bodies_that_do_not_complete_keep_no_good_push_out() -> None:
    head = HEAD + b"Content-Length: 200000\r\n\r\n"
    async with webhook(max_in_flight_bytes=1 << 20) as hook, crowd(hook, 20) as clients:
        for client in clients:
            with suppress(ConnectionError):  # it may have been ended for others already
                await client.send(head + b"x" * 100_000)
        await until(lambda: hook.refused("too_much_unfinished", "closed") >= 9)
        data = good("whole", size=500_000)
        assert (await hook.push(data)).status == 200
        async with hook.client() as client:
            await client.send(data[:400_000])
            await client.send(data[400_000:])
            assert (await client.answer()).status == 200


class BrokenClock(SystemClock):
    """A clock that can't wait."""

    async def sleep(self, seconds: float) -> None:
        raise OverflowError("no time")


async def nothing(request: web.BaseRequest, connection: Connection) -> web.Response:
    return web.Response()


async def test_a_server_whose_limits_stopped_working_says_so() -> None:
    out = io.StringIO()
    telemetry = Telemetry(make_logger("info", "json", out))
    server = HttpServer("test", nothing, ServerLimits(10, 1.0, 1.0), telemetry, BrokenClock())
    await server.start(Address("127.0.0.1", 0))
    with pytest.raises(OverflowError):
        await server.watch()
    assert '"worker":"test sweep"' in out.getvalue()
    await server.close()


async def test_watching_ends_with_the_server() -> None:
    async with webhook() as hook:
        watching = asyncio.create_task(hook.server.watch())
        await still_works(hook)
        assert not watching.done()
        await hook.server.close()
        await asyncio.wait([watching], timeout=30)
        assert watching.cancelled()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
async def test_bound_addresses_are_told(host: str) -> None:
    telemetry = Telemetry(make_logger("info", "json", io.StringIO()))
    server = HttpServer("test", nothing, ServerLimits(10, 1.0, 1.0), telemetry, SystemClock())
    addresses = await server.start(Address(host, 0))
    assert server.listening
    for address in addresses:
        async with RawClient(address) as client:
            assert (await client.push(request(method="GET"))).status == 200
    await server.close()
    assert not server.listening


async def test_a_port_in_use_is_an_error() -> None:
    async with webhook() as hook:
        telemetry = Telemetry(make_logger("info", "json", io.StringIO()))
        server = HttpServer("test", nothing, ServerLimits(10, 1.0, 1.0), telemetry, SystemClock())
        with pytest.raises(OSError, match="in use"):
            await server.start(parse_address(hook.address))
        await server.close()
