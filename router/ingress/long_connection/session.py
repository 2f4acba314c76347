"""One websocket from its first ping to its end: frames in, acknowledgements out.

No task is made for an event: its future calls back, and one writer sends what is ready.
"""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import aiohttp
import orjson
from aiohttp import WSCloseCode, WSMsgType

from router.feishu import frames
from router.feishu.discovery import Endpoint, read_config
from router.feishu.frames import Frame, FrameError
from router.feishu.parts import Assembly, PartsError
from router.ingress.long_connection.budgets import Budgets
from router.ingress.long_connection.handler import UNANSWERED, Handler
from router.ingress.long_connection.outbox import Outbox
from router.ingress.long_connection.socket import CLOSE_SECONDS, MESSAGE_BYTES, Socket
from router.ingress.long_connection.tools import Tools
from router.ingress.replies import CALLBACK, LATE, Reply, refusal
from router.telemetry import facts

HELD_BYTES = 16 << 20
"""Of frames that are not acknowledged yet. Where there are more, nothing more is read: the peer has to wait."""
SILENCE_SECONDS = 15.0
"""So long beyond a ping's interval without a word: nobody is there, whatever TCP believes."""
TICK_SECONDS = 1.0
BROKEN = (aiohttp.ClientError, OSError)
_FAILED = refusal(500, "error")


class Lost(NamedTuple):
    """Why a session ended. reason: drained, closed, reset, silent or protocol; detail: for people."""

    reason: str
    detail: str


class Session:
    """Runs once. config: as the peer last gave it; last_event_ms, last_pong_ms: Unix ms, 0 for never."""

    def __init__(
        self, app: str, socket: Socket, endpoint: Endpoint, handler: Handler, budget_seconds: float, tools: Tools
    ) -> None:
        self.config = endpoint.config
        self.events = 0
        self.last_event_ms = 0
        self.last_pong_ms = 0
        self._app = app
        self._socket = socket
        self._ping = frames.ping(endpoint.service_id)
        self._handler = handler
        self._budget = budget_seconds
        self._tools = tools
        self._now = tools.clock.monotonic
        self._heard = self._now()
        self._ponged = True
        self._parts = Assembly()
        self._outbox = Outbox(socket, HELD_BYTES)
        self._budgets = Budgets(budget_seconds, self._now)
        self._unanswered = 0
        self._finishing = False

    async def run(self, stop: asyncio.Event) -> Lost:
        """Until the connection is lost; or, once `stop` is set, until what came is acknowledged."""
        works = [asyncio.create_task(work) for work in (self._read(), self._write(), self._watch())]
        stopping = asyncio.create_task(stop.wait())
        lost: Lost | None = None
        try:
            await asyncio.wait([*works, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not any(work.done() for work in works):
                await self._finish(works)
            lost = next((work.result() for work in works if work.done()), None)
        finally:
            self._budgets.close()
            await _end(stopping, *works[1:])
            await self._hang_up(polite=lost is None or lost.reason != "silent")
            await _end(*works)
        return lost or Lost("drained", "the router drains")

    async def _read(self) -> Lost:
        receive = self._socket.receive
        while True:
            kind, data, _ = await receive()
            self._heard = self._now()
            if kind is WSMsgType.BINARY:
                self._take(data)
                while self._outbox.full:
                    await self._outbox.eased()
            elif kind is WSMsgType.PING:
                self._outbox.pong(data)
            elif kind is WSMsgType.CLOSE:
                return Lost("closed", f"the peer closed it (code {data or 'not given'})")
            elif kind is WSMsgType.ERROR:
                return self._unreadable()
            elif kind is WSMsgType.CLOSED or kind is WSMsgType.CLOSING:
                return Lost("reset", "the connection was cut")

    async def _write(self) -> Lost:
        with suppress(*BROKEN):
            await self._outbox.run()
        return Lost("reset", "the connection was cut")

    async def _watch(self) -> Lost:
        """Ping in time, and notice when nothing comes any more."""
        pinged = self._send_ping()
        while True:
            await self._tools.clock.sleep(TICK_SECONDS)
            now, interval = self._now(), self.config.ping_interval
            self._tell_of_parts(now)
            if now - self._heard >= interval + SILENCE_SECONDS:
                return Lost("silent", f"nothing came for {now - self._heard:.0f} s")
            if now - pinged >= interval:
                if not self._ponged:
                    self._tools.telemetry.emit(facts.PING_UNANSWERED, app=self._app)
                pinged = self._send_ping()

    def _tell_of_parts(self, now: float) -> None:
        self._parts.expire(now)
        given_up, self._parts.given_up = self._parts.given_up, 0
        for _ in range(given_up):
            self._broken("a message of which not all parts came")

    def _unreadable(self) -> Lost:
        code = self._socket.close_code
        if code != WSCloseCode.MESSAGE_TOO_BIG:
            return Lost("protocol", f"what came is no websocket's (close code {code})")
        flaw = f"a frame of more than {MESSAGE_BYTES >> 20} MiB"
        self._broken(flaw)
        return Lost("protocol", f"{flaw} came, which can't be taken")

    def _broken(self, flaw: str) -> None:
        self._tools.telemetry.emit(facts.BROKEN_FRAME, app=self._app, flaw=flaw)

    def _send_ping(self) -> float:
        self._ponged = False
        self._outbox.send(self._ping)
        return self._now()

    def _take(self, data: bytes) -> None:
        begun = self._now()
        try:
            frame = frames.decode(data)
            kind = frame.header("type")
            if frame.method == frames.DATA and kind in (frames.EVENT, frames.CARD):
                payload = None if self._finishing else self._whole(frame, begun)
                if payload is not None:
                    self._event(frame, len(data), payload, begun)
            elif frame.method == frames.CONTROL and kind == frames.PONG:
                self._pong(frame.payload)
        except (FrameError, PartsError) as error:
            self._broken(str(error))

    def _whole(self, frame: Frame, now: float) -> bytes | None:
        """The event's JSON; None while parts of it are missing. Raises PartsError."""
        total = frame.header("sum")
        payload = frame.payload or b""
        if total in ("1", ""):
            return payload
        return self._parts.add(frame.header("message_id"), _number(frame.header("seq")), _number(total), payload, now)

    def _event(self, frame: Frame, size: int, payload: bytes, begun: float) -> None:
        self.events += 1
        self.last_event_ms = self._tools.wall_ms()
        taken = self._handed_over(payload, begun)
        if isinstance(taken, Reply):
            self._acknowledge(frame, taken, begun)
            return
        size += len(payload)
        self._unanswered += 1
        self._outbox.hold(size)
        self._budgets.add(begun, taken)
        taken.add_done_callback(partial(self._answered, frame, size, begun))

    def _handed_over(self, payload: bytes, begun: float) -> "Reply | asyncio.Future[Reply]":
        try:
            return self._handler.take(payload, begun)
        except Exception as error:  # noqa: BLE001 - a bug that one event meets must not keep the others out
            self._tools.telemetry.emit(
                facts.CRASHED, worker="long connection", error=type(error).__name__, exc_info=error
            )
            return _FAILED

    def _answered(self, frame: Frame, size: int, begun: float, taken: "asyncio.Future[Reply]") -> None:
        reply = taken.result()
        if reply is LATE:
            self._handler.late()
        self._unanswered -= 1
        self._outbox.let_go(size)
        self._acknowledge(frame, reply, begun)

    def _acknowledge(self, frame: Frame, reply: Reply, begun: float) -> None:
        if reply is UNANSWERED:
            return
        milliseconds = int((self._now() - begun) * 1000)
        data = reply.body if reply is CALLBACK else None
        self._outbox.send(frames.ack(frame, 200 if reply.status == 200 else 500, milliseconds, data))

    def _pong(self, payload: bytes | None) -> None:
        self._ponged = True
        self.last_pong_ms = self._tools.wall_ms()
        if payload:
            with suppress(ValueError):
                self.config = read_config(orjson.loads(payload), self.config)

    async def _finish(self, works: "list[asyncio.Task[Lost]]") -> None:
        """Take nothing more, and acknowledge what was taken. Each event has its budget, so this has an end."""
        self._finishing = True
        settling = asyncio.create_task(self._settled())
        try:
            patience = self._budget + 1.0
            await asyncio.wait([settling, *works], timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end(settling)

    async def _settled(self) -> None:
        while self._unanswered or not self._outbox.empty:
            await self._outbox.eased()

    async def _hang_up(self, *, polite: bool) -> None:
        """Close the websocket, which takes a peer that answers no time; then TCP, whoever is there."""
        try:
            if polite:
                with suppress(*BROKEN, TimeoutError):
                    async with asyncio.timeout(CLOSE_SECONDS):
                        await self._socket.close()
        finally:
            self._socket.cut()


def _number(text: str) -> int:
    """Raises PartsError."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise PartsError("a part has no number")
    return int(text)


async def _end(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
