"""One connected program, and the frames that it has not acknowledged yet.

Frames are made from one that is cut up beforehand, and ordinary acknowledgements of them are known at a glance: both are
done for every event.
"""

import asyncio
from collections.abc import Iterator
from typing import Protocol

from router.feishu import frames

WHOLE_BYTES = (1 << 20) - 1024
"""A payload that fits with its frame into one websocket message of 1 MiB: more is too much for one of the SDKs."""
PART_BYTES = 512 << 10
PART_SECONDS = 0.05
"""Between the parts of a message: two of the SDKs lose some that come back to back."""
SERVICE = NUMBER = 1
"""Small: one SDK rounds what is beyond 2^53, and what tells messages apart is their id."""
ID_LENGTH = 24
GIVEN_UP = 1000
"""So many of a connection's frames that were given up are remembered, the latest ones."""

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
    """Kept by the pool. ready: whether it may be given events; given_up: the events of frames whose answer is awaited no
    longer, by the message's id.

    For `Slots`: doubted: an answer became overdue, and nothing was answered since; resting: its frame was given up just now;
    kept: for a single event, which waits for `quiet` meanwhile; offered: how many free slots others are offered; at: its
    place among those that offer some, or -1.
    """

    __slots__ = (
        "_slots", "_wire", "at", "doubted", "given_up", "kept", "offered", "quiet", "ready", "resting", "unanswered",
    )  # fmt: skip

    def __init__(self, wire: Wire, slots: int) -> None:
        self._wire = wire
        self._slots = slots
        self.at = -1
        self.offered = 0
        self.doubted = self.resting = self.kept = self.ready = False
        self.quiet: asyncio.Future[None] | None = None
        self.unanswered: dict[str, Sent] = {}
        self.given_up: dict[str, Key] = {}

    @property
    def free(self) -> int:
        """How many more frames it may be given: while it is doubted, one besides those that are overdue."""
        if not self.ready:
            return 0
        room = self._slots - len(self.unanswered)
        return min(room, 1 - self.in_hand) if self.doubted else room

    @property
    def in_hand(self) -> int:
        """Frames whose answer is not overdue yet."""
        return sum(sent.done is None for sent in self.unanswered.values())

    @property
    def owes(self) -> bool:
        """Whether an answer is overdue, or was given up just now, and nothing was answered since."""
        return self.doubted and (self.resting or self.in_hand < len(self.unanswered))

    def give_up(self, sent: Sent) -> None:
        """Remember a frame that is awaited no longer."""
        self.given_up[sent.message_id] = sent.key
        if len(self.given_up) > GIVEN_UP:
            del self.given_up[next(iter(self.given_up))]

    async def write(self, message_id: str, payload: bytes, timestamp_ms: int) -> None:
        """Send an event, whole or in parts. Raises ConnectionError."""
        if len(payload) <= WHOLE_BYTES:
            await self._wire.send(whole(message_id, payload, timestamp_ms))
            return
        for index, count, part in _parts(payload):
            if index:
                await asyncio.sleep(PART_SECONDS)
            await self._wire.send(frames.event(NUMBER, SERVICE, message_id, part, timestamp_ms, (index, count)))


def whole(message_id: str, payload: bytes, timestamp_ms: int) -> bytes:
    """The event in one frame. message_id: of ID_LENGTH letters; timestamp_ms: of 13 digits."""
    first, second, third, last = _HEAD
    id_, size = message_id.encode(), frames.varint(len(payload))
    return b"".join((first, id_, second, id_, third, b"%013d" % timestamp_ms, last, size, payload))


def acknowledged(data: bytes) -> str | None:
    """The id of the message that this is an ordinary acknowledgement of 200 for; None when it must be read with care."""
    if data.endswith(_FINE) and data.startswith(_HEAD[0]):
        return data[_ID_FROM:_ID_TO].decode("ascii", "replace")
    return None


def _cut_up() -> tuple[bytes, ...]:
    """What stands before, between and behind the two ids and the timestamp, the payload's tag included."""
    id_, timestamp = "i" * ID_LENGTH, 10**12
    frame = frames.event(NUMBER, SERVICE, id_, b"", timestamp)
    first, second, rest = frame.removesuffix(b"\x00").split(id_.encode())
    return first, second, *rest.split(str(timestamp).encode())


def _payload(text: bytes) -> bytes:
    return b"\x42" + bytes((len(text),)) + text


_HEAD = _cut_up()
_ID_FROM, _ID_TO = len(_HEAD[0]), len(_HEAD[0]) + ID_LENGTH
_FINE = tuple(map(_payload, (b'{"code":200}', b'{"code": 200}', b'{"code":200,"headers":null,"data":null}')))
"""As the SDKs write it."""


def _parts(payload: bytes) -> Iterator[tuple[int, int, bytes]]:
    count = -(-len(payload) // PART_BYTES)
    for index in range(count):
        yield index, count, payload[index * PART_BYTES : (index + 1) * PART_BYTES]
