"""The connected programs of one sink: each event goes to one of them, and its acknowledgement is waited for."""

import asyncio
import secrets
from enum import Enum
from functools import partial
from typing import Final

from router.clock import Clock, SystemClock
from sinks.feishu_ws.line import ID_LENGTH, Key, Line, Sent, Wire
from sinks.feishu_ws.slots import WAIT_SECONDS, Slots

ACKNOWLEDGED = 200
NOBODY, BUSY, NO_ACK, LOST = range(-4, 0)
"""What there is instead of a code: nobody is connected; nobody has a free slot; no answer in time; the connection ended."""
KEPT_ACKS = 4
"""Times ACK_SECONDS that a frame which is overdue keeps its slot: with 3 s the event comes again after 15, as from Feishu.

But WAIT_SECONDS at most, since the event waits as long to be pushed again, and counts as failed once for each push.
"""
REMEMBERED = 10_000
_NUMBERS = 1 << 32


class Heard(Enum):
    """What an acknowledgement was. LATE: its event counts as failed by now; UNKNOWN: of no frame that is waited for."""

    IN_TIME = "in_time"
    LATE = "late"
    UNKNOWN = "unknown"


class Pool:
    """Outlives the sinks that push through it, so that programs stay connected while their secret changes.

    A frame has a slot of its connection until it is answered; one whose answer is overdue keeps it, since some SDKs handle
    one event at a time and would only take up the next later. An event that was in hand when a connection ended is pushed
    alone from then on, as nothing else tells which of several has ended it.
    """

    def __init__(
        self, in_flight: int = 1, ack_seconds: float = 3.0, max_connections: int = 50, clock: Clock | None = None
    ) -> None:
        self._in_flight = in_flight
        self._ack_seconds = ack_seconds
        self._kept_seconds = min(KEPT_ACKS * ack_seconds, WAIT_SECONDS)
        self._max_connections = max_connections
        self._clock = clock or SystemClock()
        self.slots = Slots(self._clock)
        self._pushing = 0
        self._overdue: dict[Key, Sent] = {}
        self._late: Final = _Memory()
        self._lost: Final = _Memory()
        self._unheard: Final = _Memory()
        self._prefix = secrets.token_hex((ID_LENGTH - 8) // 2)
        self._number = 0

    @property
    def lines(self) -> list[Line]:
        """The connected programs."""
        return self.slots.lines

    @property
    def full(self) -> bool:
        """Whether no more programs may connect."""
        return len(self.lines) >= self._max_connections

    @property
    def concurrency(self) -> int:
        """How many events may be on their way at once."""
        return max(1, self._pushing + self.slots.free)

    @property
    def unanswered(self) -> int:
        """Frames that were not acknowledged yet."""
        return sum(len(line.unanswered) for line in self.lines)

    # What the server calls

    def join(self, wire: Wire) -> Line:
        """A program connected. It gets nothing before it is `ready`."""
        line = Line(wire, self._in_flight)
        self.lines.append(line)
        return line

    def ready(self, line: Line) -> None:
        """The program takes events from now on. Idempotent."""
        if not line.ready and line in self.lines:
            self.slots.ready(line)

    def leave(self, line: Line) -> None:
        """Its connection ended. Idempotent."""
        if line not in self.lines:
            return
        unanswered, line.unanswered = line.unanswered, {}
        self.slots.remove(line)
        for sent in unanswered.values():
            self._over(sent)
            sent.answer(LOST)

    def answered(self, line: Line, message_id: str, code: int | None) -> Heard:
        """An acknowledgement came; code: None for one that can't be read, which counts as a failure."""
        sent = line.unanswered.get(message_id)
        if sent is None:
            return self._answered_at_last(line, message_id, code)
        self.slots.doubt(line, doubted=False)
        late = sent.waiter is None or sent.waiter.done()  # its time was up a moment ago
        if late and code == ACKNOWLEDGED:
            self._late.add(sent.key)
        sent.answer(0 if code is None else max(0, code))
        self._release(sent)
        return Heard.LATE if late else Heard.IN_TIME

    def _answered_at_last(self, line: Line, message_id: str, code: int | None) -> Heard:
        """The frame was given up, and its event may be on its way again, or delivered by now."""
        key = line.given_up.pop(message_id, None)
        if key is None:
            return Heard.UNKNOWN
        self.slots.doubt(line, doubted=False)
        if code == ACKNOWLEDGED and self._unheard.take(key):
            self._late.add(key)
        return Heard.LATE

    # What the sink calls

    async def push(self, key: Key, payload: bytes) -> int:
        """Bring an event to one of the programs. The code that it answered, or what there is instead of one."""
        self._pushing += 1
        try:
            return await self._push(key, payload)
        finally:
            self._pushing -= 1

    async def _push(self, key: Key, payload: bytes) -> int:
        earlier = self._overdue.get(key)
        if earlier is not None and earlier.done is not None:  # somebody may still be at work on it
            await asyncio.wait([earlier.done])
        while not self._late.take(key):
            alone = key in self._lost
            line = await self.slots.choose(alone=alone)
            if line is None:
                return BUSY if self.lines else NOBODY
            if key in self._late:  # it came meanwhile
                self.slots.give_back(line)
                continue
            try:
                code = await self._push_over(line, key, payload)
            finally:
                if alone:
                    self.slots.give_back(line)
            if code == LOST and not alone:
                self._lost.add(key)
                continue
            if code != LOST:
                self._lost.take(key)
            if code == ACKNOWLEDGED:
                self._unheard.take(key)
                self._late.take(key)  # of an earlier frame: whoever asks for the event once more is to get it
            return code
        return ACKNOWLEDGED

    async def _push_over(self, line: Line, key: Key, payload: bytes) -> int:
        self._number = (self._number + 1) % _NUMBERS
        sent = Sent(line, key, f"{self._prefix}{self._number:08x}")
        waiter = sent.waiter
        assert waiter is not None  # noqa: S101 - for mypy: it has just been made
        line.unanswered[sent.message_id] = sent
        self.slots.count(line)
        try:
            await line.write(sent.message_id, payload, int(self._clock.wall() * 1000))
            timer = asyncio.get_running_loop().call_later(self._ack_seconds, sent.answer, NO_ACK)
            try:
                code = await waiter
            finally:
                timer.cancel()
        except ConnectionError:
            self._release(sent)
            return LOST
        except asyncio.CancelledError:
            self._wait_on(sent)
            raise
        if code == NO_ACK:
            self._wait_on(sent)
        return code

    def _release(self, sent: Sent) -> None:
        """Its slot is free again."""
        if sent.line.unanswered.pop(sent.message_id, None) is None:
            return
        overdue = sent.done is not None
        self._over(sent)
        self.slots.count(sent.line)
        if overdue:  # else the end of its push says so
            self.slots.changed()

    def _wait_on(self, sent: Sent) -> None:
        """Nobody waits any longer for this frame's answer; it may still come."""
        sent.waiter = None
        self._unheard.add(sent.key)
        if sent.message_id in sent.line.unanswered:
            loop = asyncio.get_running_loop()
            sent.done = loop.create_future()
            sent.timer = loop.call_later(self._kept_seconds, self._give_up, sent)
            self._overdue[sent.key] = sent
            self.slots.doubt(sent.line, doubted=True)

    def _give_up(self, sent: Sent) -> None:
        """Its slot is given to others, but should its answer come after all, it counts."""
        sent.line.give_up(sent)
        self._release(sent)
        self.slots.rest(sent.line, resting=True)
        asyncio.get_running_loop().call_later(self._kept_seconds, partial(self.slots.rest, sent.line, resting=False))

    def _over(self, sent: Sent) -> None:
        if sent.done is not None:
            if not sent.done.done():
                sent.done.set_result(None)
            if self._overdue.get(sent.key) is sent:
                del self._overdue[sent.key]
        if sent.timer is not None:
            sent.timer.cancel()


class _Memory:
    """Events of which something is remembered, the latest ones."""

    def __init__(self) -> None:
        self._keys: dict[Key, None] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._keys

    def add(self, key: Key) -> None:
        """Remember it, and forget the oldest where there are too many."""
        self._keys[key] = None
        if len(self._keys) > REMEMBERED:
            del self._keys[next(iter(self._keys))]

    def take(self, key: Key) -> bool:
        """Forget it; whether it was there."""
        return key in self._keys and self._keys.pop(key) is None
