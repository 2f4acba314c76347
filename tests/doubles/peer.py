"""Feishu's side of a long connection as a test commands it, byte by byte. It does nothing by itself."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import orjson
import trustme
from aiohttp import web

from router.feishu import frames
from router.feishu.discovery import PATH, ClientConfig

WS_PATH = "/ws/v2"
SERVICE = 33554678


class Line:
    """One websocket that was opened. received: its binary messages; pongs: of the websocket, where the peer answers none."""

    def __init__(self, socket: web.WebSocketResponse, query: str, *, ponging: bool) -> None:
        self.socket = socket
        self.ponging = ponging
        self.query = query
        self.received: list[bytes] = []
        self.pongs: list[bytes] = []
        self.came = asyncio.Event()
        self.close_code: int | None = None
        self.ended = asyncio.Event()

    async def send(self, *messages: bytes) -> None:
        for message in messages:
            await self.socket.send_bytes(message)

    async def next(self, count: int = 1, patience: float = 30.0) -> bytes:
        """Wait until there are so many messages; the last of them."""
        async with asyncio.timeout(patience):
            while len(self.received) < count:
                self.came.clear()
                await self.came.wait()
        return self.received[count - 1]

    @property
    def transport(self) -> asyncio.Transport:
        assert self.socket._req is not None
        assert self.socket._req.transport is not None
        return self.socket._req.transport

    def reset(self) -> None:
        """Cut TCP."""
        self.transport.abort()

    async def run(self) -> None:
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                self.received.append(message.data)
                self.came.set()
                if self.ponging and frames.decode(message.data).header("type") == frames.PING:
                    await self.send(frames.pong(SERVICE))
            elif message.type is aiohttp.WSMsgType.PONG:
                self.pongs.append(bytes(message.data))
        self.close_code = self.socket.close_code
        self.ended.set()


class Peer:
    """answers: what the next discoveries are answered, status and body; without any, where to connect.

    handshakes: what the next handshakes are refused with, status and headers; without any, they go well. asked: the bodies
    of discoveries, with the path that each came on. endless: discovery's answer has no end. autoping, ponging: whether the
    websocket's pings and Feishu's are answered.
    """

    def __init__(self) -> None:
        self.config: dict[str, Any] | None = ClientConfig(-1, 1.0, 1.0, 120.0).document()
        self.answers: list[tuple[int, bytes]] = []
        self.handshakes: list[tuple[int, dict[str, str]]] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.lines: list[Line] = []
        self.domain = ""
        self.autoping = True
        self.endless = False
        self.ponging = False
        self._new = asyncio.Event()

    async def line(self, number: int = 0, patience: float = 30.0) -> Line:
        """Wait for the connection of that number, from 0."""
        async with asyncio.timeout(patience):
            while len(self.lines) <= number:
                self._new.clear()
                await self._new.wait()
        return self.lines[number]

    def endpoint(self, **other: Any) -> bytes:
        where = self.domain.replace("http", "ws", 1).partition("/prefix")[0] + WS_PATH
        url = f"{where}?fpid=493&device_id=device-{len(self.asked)}&service_id={SERVICE}&ticket=t1cket"
        data = {"URL": url, "ClientConfig": self.config, **other}
        return orjson.dumps({"code": 0, "msg": "", "data": data})

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.endswith(PATH):
            self.asked.append((request.raw_path, orjson.loads(await request.read())))
            if self.endless:
                return await self._endlessly(request)
            status, body = self.answers.pop(0) if self.answers else (200, self.endpoint())
            headers = {"Location": "http://127.0.0.1:1/"} if 300 <= status < 400 else {}
            return web.Response(status=status, body=body, headers=headers)
        if self.handshakes:
            status, headers = self.handshakes.pop(0)
            return web.Response(status=status, headers=headers)
        socket = web.WebSocketResponse(autoping=self.autoping)
        await socket.prepare(request)
        line = Line(socket, request.query_string, ponging=self.ponging)
        self.lines.append(line)
        self._new.set()
        await line.run()
        return socket

    async def _endlessly(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(b" " * 4096)
        return response


@asynccontextmanager
async def peer(cert: trustme.LeafCert | None = None) -> AsyncIterator[Peer]:
    """Listening on a free port of loopback; `domain` says where. cert: speaks TLS with it."""
    made = Peer()
    runner = web.ServerRunner(web.Server(made.handle), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    tls = None
    if cert is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        cert.configure_cert(tls)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    host, port = runner.addresses[0]
    made.domain = f"{'http' if tls is None else 'https'}://{host}:{port}"
    try:
        yield made
    finally:
        await runner.cleanup()
