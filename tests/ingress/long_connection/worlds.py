"""Sessions against a peer that a test commands, and what to do with the events: whatever the test says."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from pydantic import SecretStr

from router.clock import Clock, SystemClock
from router.feishu import frames
from router.ingress.long_connection.dialer import Dialer
from router.ingress.long_connection.session import Lost, Session
from router.ingress.long_connection.tools import Tools
from router.ingress.replies import SUCCESS, Reply
from router.settings.model import AppSettings
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger
from tests.doubles.peer import SERVICE, Line, Peer, peer

APP_ID, SECRET = "cli_0123456789abcdef", "app-s3cret"
Taken = Reply | asyncio.Future[Reply]


class Recorder:
    """A handler. taken: the payloads; answer: what becomes of each."""

    def __init__(self, answer: Callable[[bytes], Taken] = lambda _: SUCCESS) -> None:
        self.taken: list[bytes] = []
        self.lates = 0
        self.answer = answer

    def take(self, payload: bytes, begun: float) -> Taken:
        del begun
        self.taken.append(payload)
        return self.answer(payload)

    def late(self) -> None:
        self.lates += 1


class Observed:
    """Telemetry, and what it saw."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.log = io.StringIO()
        self.telemetry = Telemetry(make_logger("debug", "json", self.log))
        self.tools = Tools(self.telemetry, clock or SystemClock(), lambda: 0.0)

    def said(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if line["event"] == event]

    def count(self, name: str, **labels: str) -> float:
        return self.telemetry.registry.get_sample_value(f"fer_{name}_total", labels) or 0.0


class World(Observed):
    """A session under way."""

    def __init__(self, peer: Peer, handler: Recorder, clock: Clock | None) -> None:
        super().__init__(clock)
        self.peer = peer
        self.handler = handler
        self.stop = asyncio.Event()
        self.session: Session
        self.line: Line
        self.task: asyncio.Task[Lost]

    async def lost(self) -> Lost:
        async with asyncio.timeout(30):
            return await self.task


def app(domain: str, **changes: Any) -> AppSettings:
    given = {"mode": "long_connection", "app_id": APP_ID, "app_secret": SecretStr(SECRET), "domain": domain}
    return AppSettings.model_validate(given | changes)


def document(number: int = 1, type_: str = "corehr.department.updated_v2") -> dict[str, Any]:
    header = {
        "event_id": f"e{number}",
        "event_type": type_,
        "create_time": "1608725989000",
        "token": "",
        "app_id": APP_ID,
        "tenant_key": "2ca1d211f64f6438",
    }
    return {"schema": "2.0", "header": header, "event": {"department_id": f"d{number}"}}


def frame(number: int = 1, payload: bytes | None = None, part: tuple[int, int] = (0, 1), **changes: Any) -> bytes:
    payload = orjson.dumps(document(number)) if payload is None else payload
    return frames.event(number, SERVICE, f"m{number}", payload, 1608725989000, part, **changes)


def code(message: bytes) -> int | None:
    return frames.ack_code(frames.decode(message))


@asynccontextmanager
async def session(
    handler: Recorder | None = None,
    budget: float = 2.3,
    clock: Clock | None = None,
    *,
    autoping: bool = True,
    ponging: bool = False,
) -> AsyncIterator[World]:
    async with peer() as there:
        there.autoping, there.ponging = autoping, ponging
        world = World(there, handler or Recorder(), clock)
        dialer = Dialer(app(there.domain))
        try:
            dialed = await dialer.dial()
            world.line = await there.line()
            world.session = Session("hr", *dialed, world.handler, budget, world.tools)
            world.task = asyncio.create_task(world.session.run(world.stop))
            await world.line.next()  # the first ping
            yield world
        finally:
            world.stop.set()
            await asyncio.wait([world.task])
            await dialer.close()
