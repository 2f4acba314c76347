"""A client of the long connection, bare: what a test has it do."""

import asyncio
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qs, urlsplit

import aiohttp
import orjson

from router.feishu import discovery, frames
from router.feishu.discovery import Endpoint, Refusal
from router.feishu.frames import Frame, FrameError
from router.feishu.parts import Assembly, PartsError
from router.simulator.simulator import APP_ID, APP_SECRET


@dataclass
class Client:
    """code: what it acknowledges with, None: nothing. events: payloads; pongs, texts, flaws: what came besides."""

    domain: str
    app_id: str = APP_ID
    secret: str = APP_SECRET
    code: int | None = 200
    events: list[bytes] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    got: list[Frame] = field(default_factory=list)
    pongs: list[Frame] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    flaws: int = 0
    endpoint: Endpoint | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self) -> Endpoint | Refusal:
        url = self.domain + discovery.PATH
        async with self._http.post(url, data=discovery.request(self.app_id, self.secret)) as answer:
            return discovery.read_answer(answer.status, await answer.read())

    async def connect(self) -> Self:
        endpoint = await self.ask()
        assert isinstance(endpoint, Endpoint), endpoint
        return await self.enter(endpoint)

    async def enter(self, endpoint: Endpoint) -> Self:
        self.endpoint = endpoint
        self.websocket = await self._http.ws_connect(endpoint.url, autoclose=True)
        self._reading = asyncio.create_task(self._read())
        return self

    async def ping(self) -> None:
        assert self.endpoint is not None
        await self.websocket.send_bytes(frames.ping(self.endpoint.service_id))

    @property
    def documents(self) -> list[dict[str, dict[str, str]]]:
        return [orjson.loads(body) for body in self.events]

    async def _read(self) -> None:
        assembly = Assembly()
        async for message in self.websocket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self.texts.append(message.data)
                continue
            try:
                frame = frames.decode(message.data)
                if frame.method == frames.CONTROL:
                    self.pongs.append(frame)
                    continue
                whole = assembly.add(
                    frame.header("message_id"),
                    int(frame.header("seq")),
                    int(frame.header("sum")),
                    frame.payload or b"",
                    0,
                )
            except (FrameError, PartsError, ValueError):
                self.flaws += 1
                continue
            self.got.append(frame)
            if whole is not None and frame.header("type") in ("event", "card"):
                self.types.append(frame.header("type"))
                self.events.append(whole)
                if self.code is not None:
                    await self.websocket.send_bytes(frames.ack(frame, self.code, 1))
        self.ended.set()

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        if hasattr(self, "_reading"):
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self.websocket._response.close()  # at once: some peers here answer no close
        await self._http.close()


def query_of(endpoint: Endpoint) -> dict[str, list[str]]:
    return parse_qs(urlsplit(endpoint.url).query)
