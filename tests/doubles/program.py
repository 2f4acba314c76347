"""A program that connects as one written with Feishu's SDKs does, and shows everything; behaves as it is told."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self, cast

import aiohttp
import orjson
from aiohttp import WSMsgType

from router.feishu import frames
from router.feishu.discovery import PATH, Endpoint, Refusal, read_answer, request
from router.feishu.frames import Frame
from router.feishu.parts import Assembly
from tests.doubles.waiting import until

Behave = Callable[[dict[str, Any]], Awaitable[int | None]]
"""What an event is acknowledged with; None: not at all."""


async def well(_event: dict[str, Any]) -> int | None:
    return 200


class RefusedError(Exception):
    """No connection: the refusal, or the handshake's answer."""


class Program:
    """events: all that came, as push documents; messages: of each the message's id; sizes: of each websocket message."""

    def __init__(self, domain: str, app_id: str, secret: str, behave: Behave = well) -> None:
        self.domain = domain
        self.app_id = app_id
        self.secret = secret
        self.behave = behave
        self.events: list[dict[str, Any]] = []
        self.payloads: list[bytes] = []
        self.messages: list[str] = []
        self.sizes: list[int] = []
        self.pongs: list[bytes] = []
        self.headers: list[list[str]] = []
        self.close_code: int | None = None
        self.endpoint: Endpoint | None = None
        self._session = aiohttp.ClientSession()
        self._websocket: aiohttp.ClientWebSocketResponse | None = None
        self._reading: asyncio.Task[None] | None = None
        self._working: set[asyncio.Task[None]] = set()
        self._parts = Assembly()

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def discover(self, **fields: Any) -> tuple[int, bytes]:
        """Ask for an address: the answer's status and body."""
        body = orjson.loads(request(self.app_id, self.secret)) | fields
        headers = {"Content-Type": "application/json", "locale": "zh"}
        async with self._session.post(self.domain + PATH, data=orjson.dumps(body), headers=headers) as answer:
            return answer.status, await answer.read()

    async def address(self) -> str:
        found = read_answer(*(await self.discover(ClientAssertion="")))
        if isinstance(found, Refusal):
            raise RefusedError(found.code)
        self.endpoint = found
        return found.url

    async def connect(self, url: str = "", *, ping: bool = True) -> None:
        """Connect, and ping as the SDKs do; the pong says that events may come."""
        try:
            websocket = await self._session.ws_connect(url or await self.address(), compress=15)
        except aiohttp.WSServerHandshakeError as error:
            raise RefusedError(error.status) from error
        self._websocket = websocket
        connection = websocket._response.connection
        assert connection is not None
        self.transport = cast("asyncio.Transport", connection.transport)
        self._reading = asyncio.create_task(self._read(websocket))
        if ping:
            pongs = len(self.pongs)
            await self.ping()
            await until(lambda: len(self.pongs) > pongs)

    async def ping(self) -> None:
        await self.write(frames.ping(self.endpoint.service_id if self.endpoint else 1))

    async def ping_frame(self) -> None:
        """The websocket's own ping."""
        assert self._websocket is not None
        with suppress(ConnectionError):
            await self._websocket.ping()

    async def pong_frame(self) -> None:
        """The websocket's own pong, unasked."""
        assert self._websocket is not None
        with suppress(ConnectionError):
            await self._websocket.pong()

    async def write(self, data: bytes) -> None:
        assert self._websocket is not None
        with suppress(ConnectionError):
            await self._websocket.send_bytes(data)

    async def write_text(self, text: str) -> None:
        assert self._websocket is not None
        with suppress(ConnectionError):
            await self._websocket.send_str(text)

    async def got(self, count: int) -> list[str]:
        """Wait for so many events: their ids, in the order in which they came."""
        await until(lambda: len(self.events) >= count)
        return [event["header"]["event_id"] for event in self.events]

    async def gone(self) -> None:
        """Wait for the connection's end."""
        assert self._reading is not None
        await asyncio.wait_for(self._reading, 30)

    async def cut(self) -> None:
        """End the connection as a process that dies does."""
        self.transport.abort()
        await self.gone()

    async def close(self) -> None:
        """Close it in good order."""
        assert self._websocket is not None
        await self._websocket.close()

    async def stop(self) -> None:
        for task in [*self._working, *([self._reading] if self._reading else [])]:
            task.cancel()
        if self._websocket is not None:
            self.transport.abort()
            self._websocket._response.close()
        await self._session.close()

    async def acknowledge(self, frame: Frame, code: int) -> None:
        await self.write(frames.ack(frame._replace(payload=None), code, 1))

    async def _read(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            message = await websocket.receive()
            if message.type is not WSMsgType.BINARY:
                self.close_code = websocket.close_code
                return
            self.sizes.append(len(message.data))
            self._take(frames.decode(message.data))

    def _take(self, frame: Frame) -> None:
        if frame.method == frames.CONTROL:
            self.pongs.append(frame.payload or b"")
            return
        self.headers.append([key for key, _ in frame.headers])
        payload = self._whole(frame)
        if payload is None:
            return
        self.payloads.append(payload)
        self.events.append(orjson.loads(payload))
        self.messages.append(frame.header("message_id"))
        task = asyncio.create_task(self._work(frame, self.events[-1]))
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    def _whole(self, frame: Frame) -> bytes | None:
        total, seq = int(frame.header("sum")), int(frame.header("seq"))
        payload = frame.payload or b""
        if total == 1:
            return payload
        now = asyncio.get_running_loop().time()
        return self._parts.add(frame.header("message_id"), seq, total, payload, now)

    async def _work(self, frame: Frame, event: dict[str, Any]) -> None:
        code = await self.behave(event)
        if code is not None:
            await self.acknowledge(frame, code)
