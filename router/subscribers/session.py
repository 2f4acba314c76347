"""One connected program: acknowledgements and pings in, events and pongs out."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import orjson
from aiohttp import WSMsgType, web

from router.clock import Clock
from router.feishu import frames
from router.feishu.discovery import ClientConfig
from router.feishu.frames import FrameError
from router.subscribers.groups import Group
from router.subscribers.status import ProgramRow
from router.telemetry import Telemetry, facts
from sinks.feishu_ws.line import SERVICE, acknowledged
from sinks.feishu_ws.pool import ACKNOWLEDGED, Heard

MESSAGE_BYTES = 1 << 20
"""Of what a program sends: acknowledgements and pings are small."""
CLOSE_SECONDS = 1.0
"""From a close on, until it is cut."""
READY_SECONDS = 1.0
"""Node's SDK loses what comes along with the handshake's answer; its first ping says that it listens. Java's comes at 2 s."""
NUISANCES = 100
NUISANCE_SECONDS = 10.0
"""So many frames that nobody can want within such a time, and the connection is closed."""
PING_SECONDS = 0.5
"""No program that means it pings as often."""
POLICY = 1008
AT_WORK_SECONDS = 600.0
"""So long whoever was pushed an event and never acknowledged it may be silent: Python's SDK is, while its handler runs.

A machine that is gone is noticed by TCP.
"""
_LOST = (ConnectionError, RuntimeError)
"""What writing to a websocket raises that is closed."""


class Tools(NamedTuple):
    """What all sessions share. config: how programs are to behave, with every pong."""

    telemetry: Telemetry
    clock: Clock
    config: ClientConfig


@dataclass(slots=True)
class About:
    """What is known of a program. since_ms: Unix ms."""

    id: str
    client: str
    agent: str
    since_ms: int
    acknowledged: int = 0


class Session:
    """`run` once; `end` ends it. abort: cuts TCP at once."""

    def __init__(
        self, group: Group, about: About, socket: web.WebSocketResponse, abort: Callable[[], None], tools: Tools
    ) -> None:
        self.group = group
        self.about = about
        self._socket = socket
        self._abort = abort
        self._tools = tools
        self._now = tools.clock.monotonic
        self._pong = frames.pong(SERVICE, orjson.dumps(tools.config.document()))
        self._heard = self._now()
        self._pinged = float("-inf")
        self._nuisances = 0
        self._nuisance_since = self._heard
        self._reason = ""
        self._ending: asyncio.Task[None] | None = None
        self._line = group.pool.join(self)

    async def send(self, frame: bytes) -> None:
        """Write a frame; return when there is room for more. Raises ConnectionError when it is gone."""
        try:
            await self._socket.send_bytes(frame)
        except RuntimeError as error:
            raise ConnectionResetError("it is closed") from error

    def row(self) -> ProgramRow:
        """What can be seen of it now."""
        about = self.about
        return ProgramRow(
            self.group.sink,
            about.id,
            about.client,
            about.agent,
            about.since_ms,
            len(self._line.unanswered) + len(self._line.given_up),
            about.acknowledged,
        )

    async def run(self) -> str:
        """Until the connection is over; why it is, in one word."""
        ready = asyncio.get_running_loop().call_later(READY_SECONDS, self.group.pool.ready, self._line)
        try:
            while await self._next():
                pass
        finally:
            ready.cancel()
            self.group.pool.leave(self._line)
            if self._ending is not None:
                await asyncio.wait([self._ending])
            self._abort()
        return self._reason or "lost"

    def end(self, reason: str, code: int | None = None) -> None:
        """Cut it; with a code, close it before.

        Java's SDK hears nothing any more once it is told of a close, its being cut neither: it comes back when its next
        ping or two have failed. Whoever is only cut comes back at once, as all SDKs do.
        """
        self._reason = self._reason or reason
        if code is None:
            self._abort()
        elif self._ending is None:
            self._ending = asyncio.create_task(self._close(code), name="subscriber: close")

    async def ended(self) -> None:
        """Wait for what `end` began."""
        if self._ending is not None:
            await asyncio.wait([self._ending])

    def check(self, now: float) -> None:
        """End it when nothing was heard for long, unless it is at work on an event."""
        limit = 2 * self._tools.config.ping_interval + 5
        if self._line.given_up:
            limit = max(limit, AT_WORK_SECONDS)
        if now - self._heard >= limit and not self._line.unanswered:
            self.end("silent")

    async def _next(self) -> bool:
        try:
            kind, data, _ = await self._socket.receive()
        except ConnectionError:  # it may be cut meanwhile
            return False
        if kind is WSMsgType.BINARY:
            self._heard = self._now()
            await self._take(data)
            self.group.pool.ready(self._line)
        elif kind is WSMsgType.PING or kind is WSMsgType.PONG:
            self._beat()
            if kind is WSMsgType.PING:
                with suppress(*_LOST):
                    await self._socket.pong(data)
        elif kind is WSMsgType.TEXT:
            self._broken("a text message")
        else:
            if kind is WSMsgType.CLOSE:
                self._reason = self._reason or "closed"
            elif kind is WSMsgType.ERROR:
                self._reason = self._reason or "misbehaved"
            return False
        return True

    async def _take(self, data: bytes) -> None:
        message_id = acknowledged(data)
        if message_id is not None:
            self._answered(message_id, ACKNOWLEDGED)
            return
        try:
            frame = frames.decode(data)
        except FrameError as error:
            self._broken(str(error))
            return
        if frame.method == frames.DATA:
            code = frames.ack_code(frame)
            if code is None:
                self._broken("an acknowledgement without a code")
            self._answered(frame.header("message_id"), code)
        elif frame.header("type") == frames.PING:
            self._beat()
            with suppress(*_LOST):
                await self.send(self._pong)

    def _beat(self) -> None:
        """It pinged, be it as Feishu's clients do or with the websocket's own frames, and so is alive."""
        self._heard = self._now()
        if self._heard - self._pinged < PING_SECONDS:
            self._nuisance()
        self._pinged = self._heard

    def _answered(self, message_id: str, code: int | None) -> None:
        heard = self.group.pool.answered(self._line, message_id, code)
        if heard is Heard.UNKNOWN:
            self._nuisance()
            return
        self._nuisances = max(0, self._nuisances - 1)  # else a client that acknowledges twice would be cut under load
        if code == ACKNOWLEDGED:
            self.about.acknowledged += 1
        if heard is Heard.LATE:
            self._tools.telemetry.emit(facts.LATE_ACK, sink=self.group.sink, connection=self.about.id)

    def _broken(self, flaw: str) -> None:
        self._tools.telemetry.emit(facts.SUBSCRIBER_BROKEN, sink=self.group.sink, connection=self.about.id, flaw=flaw)
        self._nuisance()

    def _nuisance(self) -> None:
        now = self._now()
        if now - self._nuisance_since >= NUISANCE_SECONDS:
            self._nuisance_since, self._nuisances = now, 0
        self._nuisances += 1
        if self._nuisances > NUISANCES:
            self.end("misbehaved", POLICY)

    async def _close(self, code: int) -> None:
        try:
            with suppress(*_LOST, TimeoutError):
                async with asyncio.timeout(2 * CLOSE_SECONDS):
                    await self._socket.close(code=code)
        finally:
            self._abort()
