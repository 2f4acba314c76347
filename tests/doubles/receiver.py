"""A real HTTP receiver: records what it got and answers as it is told to, badly when that is asked for."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

from aiohttp import web


@dataclass(frozen=True)
class Received:
    """One request as it arrived. headers: names in lower case; raw_headers: as sent, in order."""

    method: str
    path: str
    headers: Mapping[str, str]
    raw_headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    peer: tuple[str, int]


Behaviour = Callable[["Receiver", web.BaseRequest, Received], Awaitable[web.StreamResponse]]


def reply(status: int = 200, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Behaviour:
    """Answer so."""

    async def behave(receiver: "Receiver", request: web.BaseRequest, received: Received) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers)

    return behave


def slow(seconds: float, status: int = 200) -> Behaviour:
    """Answer after that time."""

    async def behave(receiver: "Receiver", request: web.BaseRequest, received: Received) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return web.Response(status=status)

    return behave


async def hang(receiver: "Receiver", request: web.BaseRequest, received: Received) -> web.StreamResponse:
    """Never answer (until the receiver stops)."""
    await receiver.stopping.wait()
    return web.Response(status=500)


async def reset(receiver: "Receiver", request: web.BaseRequest, received: Received) -> web.StreamResponse:
    """Answer nothing, reset the connection (RST)."""
    _reset(request)
    return web.Response()


async def hang_up(receiver: "Receiver", request: web.BaseRequest, received: Received) -> web.StreamResponse:
    """Answer nothing, close the connection in good order (FIN)."""
    assert request.transport is not None
    request.transport.close()
    return web.Response()


def reset_within(status: int, part: bytes = b"some") -> Behaviour:
    """Send the head and a part of the body, then reset."""

    async def behave(receiver: "Receiver", request: web.BaseRequest, received: Received) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers={"Content-Length": "100000"})
        await response.prepare(request)
        await response.write(part)
        _reset(request)
        return response

    return behave


def endless(status: int, chunk: bytes = b"x" * 65536) -> Behaviour:
    """Send a body that doesn't end; `receiver.streamed` counts what the client let through."""

    async def behave(receiver: "Receiver", request: web.BaseRequest, received: Received) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        try:
            while not receiver.stopping.is_set():
                await response.write(chunk)
                receiver.streamed += len(chunk)
                await asyncio.sleep(0)
        except ConnectionError:
            receiver.broken_off.set()
        return response

    return behave


def stalling(status: int, part: bytes = b"some") -> Behaviour:
    """Send the head and a part of the body, then nothing more."""

    async def behave(receiver: "Receiver", request: web.BaseRequest, received: Received) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers={"Content-Length": "100000"})
        await response.prepare(request)
        await response.write(part)
        await receiver.stopping.wait()
        return response

    return behave


@dataclass
class Receiver:
    """`async with Receiver() as receiver:`; then `receiver.url`. behave: what each request gets; change it at any time."""

    tls: ssl.SSLContext | None = None
    behave: Behaviour = field(default_factory=reply)
    port: int = 0
    requests: list[Received] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    streamed: int = 0
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    broken_off: asyncio.Event = field(default_factory=asyncio.Event)
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    _runner: web.ServerRunner | None = None

    @property
    def url(self) -> str:
        """Address of the receiver."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/hook"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, on the same port as before when it listened already."""
        self.stopping.clear()
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self.tls)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Listen no more, close every connection."""
        self.stopping.set()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def wait_for(self, count: int, seconds: float = 30) -> list[Received]:
        """The requests, once that many came. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= count)
        return self.requests

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        peer = request.transport.get_extra_info("peername")[:2] if request.transport else ("", 0)
        received = Received(request.method, request.path_qs, headers, request.raw_headers, body, peer)
        self.requests.append(received)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        async with self._arrived:
            self._arrived.notify_all()
        try:
            return await self.behave(self, request, received)
        finally:
            self.at_once -= 1


def _reset(request: web.BaseRequest) -> None:
    transport = request.transport
    assert transport is not None
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


@asynccontextmanager
async def raw_server(answer: bytes, *, port: int = 0, answer_after: asyncio.Event | None = None) -> AsyncIterator[int]:
    """A TCP server that says these bytes (once `answer_after` is set) to whoever sends something. Gives its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            if await reader.read(65536):
                if answer_after is not None:
                    await answer_after.wait()
                writer.write(answer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
