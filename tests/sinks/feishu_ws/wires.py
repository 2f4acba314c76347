"""Programs connected to a pool, without a network in between."""

import asyncio
from collections.abc import Callable

from router.feishu import frames
from sinks.feishu_ws.line import Line
from sinks.feishu_ws.pool import NOBODY, Heard, Pool
from tests.doubles.virtual import VirtualClock


class Wire:
    """messages: ids of what was written, with the key that the payload is."""

    def __init__(
        self, pool: Pool, answer: Callable[[str], int | None] | None = None, seconds: float = 0.0, *, ready: bool = True
    ) -> None:
        self.messages: list[tuple[str, str]] = []
        self.broken = False
        self._pool = pool
        self.behave = answer
        self._seconds = seconds
        self.line: Line = pool.join(self)
        if ready:
            pool.ready(self.line)

    async def send(self, frame: bytes) -> None:
        if self.broken:
            raise ConnectionResetError
        read = frames.decode(frame)
        key, message_id = (read.payload or b"").decode(), read.header("message_id")
        self.messages.append((message_id, key))
        code = self.behave(key) if self.behave else None
        if code is not None:
            asyncio.get_running_loop().call_later(self._seconds, self.answer, message_id, code)

    def answer(self, message_id: str, code: int | None = 200) -> Heard:
        return self._pool.answered(self.line, message_id, code)

    def leave(self) -> None:
        self._pool.leave(self.line)


def new(in_flight: int = 1, ack_seconds: float = 3.0) -> Pool:
    return Pool(in_flight, ack_seconds, 50, VirtualClock())


async def push(pool: Pool, key: str) -> int:
    return await pool.push((key, 0), key.encode())


def pushing(pool: Pool, *keys: str) -> list["asyncio.Task[int]"]:
    return [asyncio.create_task(push(pool, key)) for key in keys]


async def lose(pool: Pool, key: str) -> None:
    """Have an event lose its connection for the first time."""
    dying = Wire(pool)
    [lost] = pushing(pool, key)
    await asyncio.sleep(0)
    dying.leave()
    assert await lost == NOBODY
