"""TLS handshakes under way: counted, bounded in time, and ended when there is no room.

An event loop's own TLS server tells of a connection only once its handshake is done; until then nobody could count or end it.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import cast


@dataclass(frozen=True, slots=True)
class TlsSide:
    """What a handshake needs. timeout, shutdown_timeout: seconds for the beginning and the end of TLS."""

    context: ssl.SSLContext
    timeout: float
    shutdown_timeout: float


class Handshake:
    """One socket on its way to `protocol`. `since` is when it was accepted."""

    __slots__ = ("_accepted", "_protocol", "_side", "_started", "since", "task")

    def __init__(
        self, accepted: socket.socket, side: TlsSide, protocol: Callable[[], asyncio.Protocol], since: float
    ) -> None:
        self.since = since
        self._accepted = accepted
        self._side = side
        self._protocol = protocol
        self._started = False
        self.task = asyncio.get_running_loop().create_task(self._run(), name="TLS handshake")

    def drop(self) -> None:
        """End it."""
        self.task.cancel()
        with suppress(OSError):  # the peer may have gone
            self._accepted.shutdown(socket.SHUT_RDWR)
        if not self._started:
            self._accepted.close()

    async def _run(self) -> None:
        self._started = True
        await asyncio.get_running_loop().connect_accepted_socket(
            self._protocol,
            self._accepted,
            ssl=self._side.context,
            ssl_handshake_timeout=self._side.timeout,
            ssl_shutdown_timeout=self._side.shutdown_timeout,
        )


class Handshakes:
    """All that are under way. failed: told of each that came to nothing by itself."""

    def __init__(self, side: TlsSide, protocol: Callable[[], asyncio.Protocol], failed: Callable[[], None]) -> None:
        self._side = side
        self._protocol = protocol
        self._failed = failed
        self._running: dict[asyncio.Task[None], Handshake] = {}

    def __len__(self) -> int:
        return len(self._running)

    def __iter__(self) -> Iterator[Handshake]:
        return iter(tuple(self._running.values()))

    def begin(self, accepted: socket.socket, now: float) -> None:
        """Take this socket over."""
        handshake = Handshake(accepted, self._side, self._protocol, now)
        self._running[handshake.task] = handshake
        handshake.task.add_done_callback(self._done)

    def drop(self) -> None:
        """End them all."""
        for handshake in self:
            handshake.drop()

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        if not task.cancelled() and task.exception() is not None:  # no TLS, an old one, too slow, or gone
            self._failed()


class Door(asyncio.Protocol):
    """Takes the socket of a new connection away from the loop's plain transport before a byte is read."""

    def __init__(self, opened: Callable[[socket.socket], None]) -> None:
        self._opened = opened

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Pass a copy of the socket on and end the transport; the copy keeps the connection."""
        raw = transport.get_extra_info("socket")
        accepted = socket.fromfd(raw.fileno(), raw.family, raw.type)
        cast("asyncio.Transport", transport).abort()
        self._opened(accepted)
