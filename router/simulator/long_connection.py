"""The road to long connections: each event goes to one of its app's, at random, and must be acknowledged in time."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
from aiohttp import WSMsgType, web

from router.feishu import frames
from router.feishu.discovery import ClientConfig
from router.feishu.frames import FrameError
from router.simulator.account import LATE, OK, Attempt, Record
from router.simulator.connection import Connection
from router.simulator.damage import damage
from router.simulator.endpoint import Ticket
from router.simulator.faults import Faults, Moment
from router.simulator.pushes import Push

ROAD = "long_connection"
NOBODY, LOST, NONSENSE = "nobody connected", "connection lost", "unintelligible"
MAX_MESSAGE = 1 << 20
REMEMBERED = 10_000
BROKEN_CONFIGS: tuple[Any, ...] = (
    {},
    {"PingInterval": 90},
    {"ReconnectCount": 1, "ReconnectInterval": 0, "ReconnectNonce": 0, "PingInterval": 0},
    {"ReconnectCount": "x", "ReconnectInterval": -5, "ReconnectNonce": None, "PingInterval": 1e300},
    [],
    None,
)
_ID, _TAKEN = b"\x0amessage_id\x12\x24", b'\x42\x0c{"code":200}'

Answered = Callable[[Record, Attempt], None]
Notice = Callable[[str], None]


class _Sent(NamedTuple):
    record: Record
    connection: Connection
    begun: float
    fault: str
    copy: bool


class LongConnections:
    """All connections of all apps, and what was sent over them and isn't answered.

    seconds: how long an answer may take. answered: told of each attempt that is over.
    """

    def __init__(self, faults: Faults, seed: int, seconds: float, answered: Answered, notice: Notice) -> None:
        self.config = ClientConfig()
        self.late_acks = 0
        self.pings = 0
        self.connected = 0
        self._faults = faults
        self._seconds = seconds
        self._answered = answered
        self._notice = notice
        self._rng = random.Random(f"connections {seed}")  # noqa: S311 - to be repeatable
        self._of: dict[str, list[Connection]] = {}
        self._sent: dict[str, _Sent] = {}
        self._due: deque[tuple[float, str]] = deque()
        self._overdue: dict[str, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._serial = 0

    @property
    def under_way(self) -> int:
        """What was sent and is neither answered nor too late."""
        return len(self._sent)

    def of(self, app_id: str) -> list[Connection]:
        """The connections of an app."""
        return self._of.get(app_id, [])

    def everyone(self) -> list[Connection]:
        """All connections."""
        return [each for connections in self._of.values() for each in connections]

    async def serve(self, request: web.BaseRequest, ticket: Ticket) -> web.StreamResponse:
        """One websocket, from its handshake to its end."""
        websocket = web.WebSocketResponse(compress=False, max_msg_size=MAX_MESSAGE)
        await websocket.prepare(request)
        transport = request.transport
        if transport is None:
            return websocket
        self.connected += 1
        connection = Connection(
            ticket.app_id, ticket.connection_id, ticket.service, transport, self._rng.getrandbits(32)
        )
        self._of.setdefault(ticket.app_id, []).append(connection)
        self._notice(f"{connection.id} connected, {len(self.of(ticket.app_id))} of {ticket.app_id}")
        try:
            async for message in websocket:
                if message.type is WSMsgType.BINARY:
                    self._received(connection, message.data)
        finally:
            self._gone(connection)
        return websocket

    def send(self, record: Record, push: Push, *, copy: bool = False) -> None:
        """Send an event over one connection of its app. Where there is none, that is told at once."""
        usable = [each for each in self.of(record.app) if each.open]
        if not usable:
            self._answered(record, Attempt(ROAD, NOBODY, 0.0, copy=copy))
            return
        connection = usable[0] if len(usable) == 1 else self._rng.choice(usable)
        fault = self._faults.at(Moment.FRAME)
        doing = fault or ("half-open" if connection.silent else "")
        self._serial += 1
        message_id = f"{self._rng.getrandbits(80):020x}{self._serial:016x}"
        now = asyncio.get_running_loop().time()
        self._sent[message_id] = _Sent(record, connection, time.perf_counter(), doing, copy)
        self._due.append((now + self._seconds, message_id))
        if self._timer is None:
            self._wait(self._seconds)
        if fault:
            self._notice(f"{fault} for {record.type} {record.id}")
            damage(connection, fault, message_id, push.body)
            if connection.silent or not connection.open:
                connection.ended_by = fault
        else:
            connection.write(connection.messages.event(message_id, push.body))

    def close(self) -> None:
        """Cut everything."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in self.everyone():
            connection.reset()

    def _received(self, connection: Connection, data: bytes) -> None:
        at = data.find(_ID) + len(_ID)
        if _TAKEN in data and (sent := self._sent.pop(data[at : at + 36].decode("ascii", "replace"), None)) is not None:
            self._over(sent, OK)  # what nearly all of them are, without reading the frame
            return
        try:
            frame = frames.decode(data)
        except FrameError as error:
            self._notice(f"{connection.id} sent no frame: {error}")
            return
        if frame.method == frames.DATA:
            self._acknowledged(frame.header("message_id"), frames.ack_code(frame))
        elif frame.header("type") == frames.PING:
            self._pong(connection)

    def _acknowledged(self, message_id: str, code: int | None) -> None:
        sent = self._sent.pop(message_id, None)
        if sent is None:
            if self._overdue.pop(message_id, self) is None:
                self.late_acks += 1
            return
        self._over(sent, NONSENSE if code is None else str(code))

    def _pong(self, connection: Connection) -> None:
        self.pings += 1
        fault = self._faults.at(Moment.PONG)
        if fault:
            self._notice(f"{fault} for {connection.id}")
        if fault == "no-pong":
            return
        document: Any = self.config.document()
        if fault == "config":
            ping, interval = max(1, document["PingInterval"] // 2), document["ReconnectInterval"] + 1
            document = {**document, "PingInterval": ping, "ReconnectInterval": interval}
        elif fault == "broken-config":
            document = self._rng.choice(BROKEN_CONFIGS)
        payload = b"no JSON" if document is None else orjson.dumps(document)
        pong = frames.pong(connection.service, payload)
        if fault == "late-pong":
            connection.write_later(pong, self.config.ping_interval)
        else:
            connection.write(pong)

    def _gone(self, connection: Connection) -> None:
        connection.gone()
        self.of(connection.app_id).remove(connection)
        self._notice(f"{connection.id} is gone, {len(self.of(connection.app_id))} of {connection.app_id}")
        for message_id in [id_ for id_, sent in self._sent.items() if sent.connection is connection]:
            sent = self._sent.pop(message_id)
            self._over(sent._replace(fault=sent.fault or connection.ended_by), LOST)

    def _wait(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(max(0.0, seconds), self._expire)

    def _expire(self) -> None:
        """Time is up for those sent first. All have the same time, so they stand in order."""
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._due and (self._due[0][0] <= now or self._due[0][1] not in self._sent):
            _, message_id = self._due.popleft()
            sent = self._sent.pop(message_id, None)
            if sent is not None:
                self._overdue[message_id] = None
                if len(self._overdue) > REMEMBERED:
                    del self._overdue[next(iter(self._overdue))]
                self._over(sent, LATE)
        if self._due and self._timer is None:
            self._wait(self._due[0][0] - now)

    def _over(self, sent: _Sent, answer: str) -> None:
        took = 1000 * (time.perf_counter() - sent.begun)  # the loop's clock may only know milliseconds
        self._answered(sent.record, Attempt(ROAD, answer, took, sent.fault, sent.copy))
