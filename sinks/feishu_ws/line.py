"""One connected program, and the frames that it has not acknowledged yet."""

import asyncio
from collections.abc import Iterator
from typing import Protocol

from router.feishu import frames

WHOLE_BYTES = (1 << 20) - 1024
"""A payload that fits with its frame into one websocket message of 1 MiB: more is too much for one of the SDKs."""
PART_BYTES = 512 << 10
PART_SECONDS = 0.05
"""Between the parts of a message: two of the SDKs lose some that come back to back."""
SERVICE = 1

Key = tuple[str, int]
"""Which event a frame carries."""


class Wire(Protocol):
    """The connection to a program."""

    async def send(self, frame: bytes) -> None:
        """Write a frame; return when there is room for more. Raises ConnectionError when it is gone."""


class Sent:
    """A frame under way.

    waiter: gets the code of its acknowledgement; done: for a frame that is overdue, set when its slot is free again.
    """

    __slots__ = ("done", "key", "line", "message_id", "timer", "waiter")

    def __init__(self, line: "Line", key: Key, message_id: str) -> None:
        self.line = line
        self.key = key
        self.message_id = message_id
        self.waiter: asyncio.Future[int] | None = asyncio.get_running_loop().create_future()
        self.done: asyncio.Future[None] | None = None
        self.timer: asyncio.TimerHandle | None = None

    def answer(self, code: int) -> None:
        """Tell whoever waits."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(code)


class Line:
    """Kept by the pool. at: its place among those with a free slot, -1 when it has none."""

    __slots__ = ("_slots", "_wire", "at", "unanswered")

    def __init__(self, wire: Wire, slots: int) -> None:
        self._wire = wire
        self._slots = slots
        self.at = -1
        self.unanswered: dict[str, Sent] = {}

    @property
    def free(self) -> int:
        """How many more frames it may be given."""
        return self._slots - len(self.unanswered)

    async def write(self, number: int, message_id: str, payload: bytes, timestamp_ms: int) -> None:
        """Send an event, whole or in parts. Raises ConnectionError."""
        if len(payload) <= WHOLE_BYTES:
            await self._wire.send(frames.event(number, SERVICE, message_id, payload, timestamp_ms))
            return
        for index, count, part in _parts(payload):
            if index:
                await asyncio.sleep(PART_SECONDS)
            await self._wire.send(frames.event(number, SERVICE, message_id, part, timestamp_ms, (index, count)))


def _parts(payload: bytes) -> Iterator[tuple[int, int, bytes]]:
    count = -(-len(payload) // PART_BYTES)
    for index in range(count):
        yield index, count, payload[index * PART_BYTES : (index + 1) * PART_BYTES]
