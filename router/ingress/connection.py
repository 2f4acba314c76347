"""One connection: aiohttp's protocol inside, our limits around it."""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from aiohttp import StreamReader, web

from router.ingress.replies import LATE, Reply

HEAD_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
CLOSING_SECONDS = 2.0
"""How long a connection that is being closed may wait for its peer to read what was written before."""
HALF_CLOSED_SECONDS = 1.0
"""How long a peer that has ended its side may wait for us to take up what it sent before."""


class Host(Protocol):
    """The server, as a connection needs it."""

    read_timeout: float
    keepalive: float
    now: Callable[[], float]
    ordinary: "Callable[[Connection, bytes], bool] | None"
    """Takes a whole, ordinary request without aiohttp; False: it is none, and aiohttp gets the bytes."""

    def admit(self, connection: "Connection") -> web.RequestHandler | None:
        """aiohttp's protocol for a new connection; None when there is no room."""

    def lost(self, protocol: web.RequestHandler) -> None:
        """The connection is gone."""

    def cut(self, reason: str, status: str) -> None:
        """Count a connection that was closed by a limit."""

    def hold(self, size: int) -> None:
        """So many bytes more (less: negative) are held for requests that aren't whole."""


class Connection(asyncio.Protocol):
    """Hands bytes to aiohttp and notes when a request began, so that one sweep can find what is overdue.

    aiohttp has no limit on the time of a head, a body or a handler; a timer for each would cost more than the sweep.
    `begun` is when the first byte of the next request came (None: idle). While a request is handled, `deadline` goes
    with either `body` (still arriving) or `pending` (answer awaited).

    `unfinished` is how many bytes aiohttp has got of a request that isn't whole: heads and trailers stay in its parser.
    `since` is when it last did anything that counts: came, began a request, got an answer.

    Ordinary requests are taken here, one at a time, until the first that isn't: from then on the connection is aiohttp's,
    so that answers can't overtake each other. What arrives while one is answered is held, and reading pauses.
    """

    __slots__ = (
        "_closing", "_ended", "_feed", "_held", "_host", "_inner", "_stuck", "_tls", "_upgraded", "_whole",
        "begun", "body", "busy", "deadline", "pending", "since", "transport", "unfinished",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, host: Host) -> None:
        self._host = host
        self._inner: web.RequestHandler | None = None
        self._feed: Callable[[bytes], None] = _discard
        self._tls = False
        self._upgraded = False
        self._whole = host.ordinary is not None
        self._held = b""
        self._closing: float | None = None
        self._ended: float | None = None
        self._stuck: float | None = None
        self.since = host.now()
        self.begun: float | None = None
        self.unfinished = 0
        self.busy = False
        self.deadline = 0.0
        self.body: StreamReader | None = None
        self.pending: asyncio.Future[Reply] | None = None

    # What the handler of a request calls

    def take(self) -> float:
        """A request is taken up; when its first byte came. A pipelined one began when the one before it was done."""
        begun, self.begun, self.busy = self.begun, None, True
        return self._host.now() if begun is None else begun

    def done(self) -> None:
        """The request has its answer."""
        self.since = self._host.now()
        self.busy = False
        self.body = None
        self.pending = None
        self._release()

    def arrived(self) -> None:
        """The request is here, whole. Its pieces were no beginning of another one."""
        self.body = self.begun = None
        self._release()

    def upgrade(self) -> None:
        """From now on it speaks something else than HTTP: its bytes are no requests, and who speaks it ends it when idle."""
        self._upgraded = True
        self.begun = None
        self._release()

    def _release(self) -> None:
        if self.unfinished:
            self._host.hold(-self.unfinished)
            self.unfinished = 0

    def answer(self, answer: bytes, *, last: bool) -> None:
        """Write the answer of an ordinary request, then take up what was held."""
        self.done()
        if self.transport.is_closing():
            return
        self.transport.write(answer)
        if last:
            self.transport.close()
        elif self._held:
            held, self._held = self._held, b""
            self.transport.resume_reading()
            self.data_received(held)

    @property
    def last(self) -> bool:
        """Whether the answer must be the last: the peer has ended its side."""
        return self._ended is not None

    # What the server calls

    @property
    def waiting(self) -> bool:
        """Whether it is the peer's turn: nothing that came whole is without its answer."""
        return not self.busy or self.body is not None

    def drop(self) -> None:
        """End it at once; it counts no more."""
        if self._inner is not None:
            self._host.lost(self._inner)
        self._whole = False
        self._feed = _discard
        self.transport.abort()

    def end_if_idle(self) -> None:
        """Close unless something of a request is here."""
        if not self.busy and self.begun is None:
            self.transport.close()

    def check(self, now: float) -> None:
        """Act on whatever is overdue."""
        if self._stuck is not None and now - self._stuck >= self._host.read_timeout:
            self._host.cut("answer_not_read", "closed")
            self.transport.abort()
        elif self.busy and not self._upgraded:
            if now >= self.deadline:
                self._expire()
        elif self.transport.is_closing():
            self._end(now)
        elif self._ended is not None:
            if now - self._ended >= HALF_CLOSED_SECONDS:
                self.transport.close()
        elif self.begun is not None and now - self.begun >= self._host.read_timeout:
            self._host.cut("head_timeout", "408")
            self.transport.write(HEAD_TIMEOUT)
            self.transport.close()
        elif self._whole and self.begun is None and now - self.since >= self._host.keepalive:
            self.transport.close()  # aiohttp looks after those that it has answered

    def _end(self, now: float) -> None:
        """Closing waits until the peer has read all: not for ever."""
        if self._closing is None:
            self._closing = now
        elif now - self._closing >= CLOSING_SECONDS:
            self.transport.abort()

    def _expire(self) -> None:
        if self.pending is not None:
            if not self.pending.done():
                self.pending.set_result(LATE)
        elif self.body is not None:
            self.body.set_exception(TimeoutError())

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or end it at once."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's only looks like one
        self._inner = self._host.admit(self)
        if self._inner is None:
            self.transport.abort()
            return
        self._tls = transport.get_extra_info("sslcontext") is not None
        self._feed = self._inner.data_received
        self._inner.connection_made(transport)
        # aiohttp starts a timer here that would end the connection although we answer requests on it; this ends the timer.
        self._inner.keep_alive(True)  # noqa: FBT003 - aiohttp's

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._upgraded:
            self._feed(data)
            return
        if self._whole:
            if self.busy:
                self._held += data
                self.transport.pause_reading()
                return
            if self._inner is not None and self._host.ordinary is not None and self._host.ordinary(self, data):
                return
            self._whole = False
        if self.begun is None:
            self.begun = self.since = self._host.now()
        if self._feed is not _discard:
            self.unfinished += len(data)
            self._host.hold(len(data))
        self._feed(data)

    def eof_received(self) -> bool:
        """The peer ended its side: keep ours open while a whole request waits for its answer."""
        if self._tls or self._upgraded or self.body is not None or not (self.busy or self.begun is not None):
            return False
        self._ended = self._host.now()
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        """Gone. A commit under way goes on."""
        if self._inner is not None:
            self._inner.connection_lost(exc)
            self._host.lost(self._inner)

    def pause_writing(self) -> None:
        """The peer doesn't read its answers."""
        self._stuck = self._host.now()
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """It reads again."""
        self._stuck = None
        if self._inner is not None:
            self._inner.resume_writing()


def _discard(_data: bytes) -> None:
    """What comes over a connection that wasn't let in."""
