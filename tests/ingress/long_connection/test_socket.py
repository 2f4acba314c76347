import asyncio
import socket
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from router.ingress.long_connection.dialer import Dialer
from router.ingress.long_connection.failures import AttemptError
from router.ingress.long_connection.socket import trace
from tests.doubles.peer import peer
from tests.ingress.long_connection.worlds import app


async def test_cut_ends_tcp_though_the_peer_reads_nothing() -> None:
    async with peer() as there:
        dialer = Dialer(app(there.domain))
        ours, _ = await dialer.dial()
        line = await there.line()
        theirs = line.transport
        theirs.pause_reading()
        sending = asyncio.create_task(ours.send_bytes(b"x" * (16 << 20)))
        await asyncio.sleep(0)
        ours.cut()
        ours.cut()
        async with asyncio.timeout(30):
            while not theirs.is_closing():  # as long as TCP is there, this can be written
                theirs.write(b"\x8a\x00")
                await asyncio.sleep(0.005)
        await asyncio.wait([sending])
        assert sending.exception() is None or isinstance(sending.exception(), ConnectionError)
        await dialer.close()


async def test_tcp_itself_looks_whether_the_peer_is_there() -> None:
    async with peer() as there:
        dialer = Dialer(app(there.domain))
        ours, _ = await dialer.dial()
        assert ours.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        ours.cut()
        await dialer.close()


async def test_no_redirect_is_followed() -> None:
    asked = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    runner = web.ServerRunner(web.Server(handle), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    kwargs: dict[str, Any] = {"trace_configs": [trace()]}
    async with aiohttp.ClientSession(**kwargs) as session:
        with pytest.raises(AttemptError, match="redirect"):
            await session.ws_connect(f"http://{host}:{port}/here")
    assert asked == ["/here"]
    await runner.cleanup()
