"""Listening, connections and their limits; what is answered is the handler's."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from heapq import nsmallest
from itertools import chain
from operator import attrgetter

from aiohttp import HttpVersion10, HttpVersion11, web

from router.clock import Clock
from router.ingress.connection import Connection
from router.ingress.descriptors import connections
from router.ingress.handshakes import Door, Handshake, Handshakes, TlsSide
from router.ingress.http_log import http_logger
from router.ingress.plain import PlainHandler, plain_server
from router.settings.address import Address
from router.telemetry import Telemetry, facts

SWEEP_SECONDS = 0.05
BACKLOG = 1024
LINGER_SECONDS = 2.0
"""How long the rest of a refused body is read, so that the peer sees the answer and not a reset."""
CROWD_SHARE = 64
"""Which part of all connections is ended at once when there are too many."""
SHUTDOWN_SECONDS = 0.05
"""How long aiohttp may wait for a handler that is cut off; it takes 0 for ever."""
VERSIONS = (HttpVersion11, HttpVersion10)
MAX_HEADERS = 64
MAX_HEADER_BYTES = 4096

Handler = Callable[[web.BaseRequest, Connection], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What connections may take. Times in seconds; the sweep acts on them `SWEEP_SECONDS` early rather than late.

    max_unfinished: bytes of requests that aren't whole, of all connections together.
    """

    max_connections: int
    read_timeout: float
    keepalive: float
    max_unfinished: int = 32 << 20


class HttpServer:
    """An HTTP/1.1 server on aiohttp's `web.Server`: one handler, no routes, no middlewares.

    aiohttp parses and answers. Around each of its protocols stands a `Connection` with our limits, and one sweep over
    them all does what a timer for each request would.
    """

    def __init__(self, name: str, handler: Handler, limits: ServerLimits, telemetry: Telemetry, clock: Clock) -> None:
        self.name = name
        self.read_timeout = limits.read_timeout
        self.keepalive = limits.keepalive
        self.ordinary: Callable[[Connection, bytes], bool] | None = None
        self.now = clock.monotonic
        self.draining = False
        self._handler = handler
        self._limits = limits
        self._most = limits.max_connections
        self._unfinished = 0
        self._telemetry = telemetry
        self._clock = clock
        self._connections: dict[web.RequestHandler, Connection] = {}
        self._handshakes: Handshakes | None = None
        self._idle = asyncio.Event()
        self._http: web.Server | None = None
        self._protocol: Callable[[], PlainHandler] | None = None
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self, address: Address, tls: ssl.SSLContext | None = None) -> list[str]:
        """Listen; returns the addresses as `host:port`. Raises OSError when the address can't be had."""
        loop = asyncio.get_running_loop()
        self._most = connections(self._limits.max_connections)
        if self._most < self._limits.max_connections:
            self._telemetry.emit(facts.FEW_DESCRIPTORS, server=self.name, connections=self._most)
        self._http = plain_server(self._handle)
        self._protocol = partial(
            PlainHandler,
            self._http,
            loop=loop,
            logger=http_logger(self._telemetry, self.name),
            access_log=None,  # type: ignore[arg-type] # what turns it off; the hint says otherwise
            keepalive_timeout=self._limits.keepalive,
            lingering_time=min(LINGER_SECONDS, self._limits.read_timeout),
            auto_decompress=False,
            max_headers=MAX_HEADERS,
            max_field_size=MAX_HEADER_BYTES,
            max_line_size=MAX_HEADER_BYTES,
        )
        if tls is not None:
            side = TlsSide(tls, self._limits.read_timeout, LINGER_SECONDS)
            self._handshakes = Handshakes(side, self.connect, partial(self.cut, "tls_handshake", "closed"))
        self._listener = await loop.create_server(
            self.connect if tls is None else partial(Door, self._shake),
            address.host or None,
            address.port,
            backlog=BACKLOG,
        )
        self._sweeper = loop.create_task(self._sweep(), name=f"{self.name} sweep")
        self._sweeper.add_done_callback(self._swept)
        return [str(Address(*bound.getsockname()[:2])) for bound in self._listener.sockets]

    @property
    def open_connections(self) -> int:
        """Connections there are now, also those in a TLS handshake."""
        return len(self._connections) + self._shaking

    @property
    def in_flight(self) -> int:
        """Requests taken up and not yet answered."""
        return sum(connection.busy for connection in self._connections.values())

    @property
    def listening(self) -> bool:
        """Whether new connections are accepted."""
        return self._listener is not None and self._listener.is_serving()

    def drain(self) -> None:
        """From now on every answer ends its connection, so that clients go elsewhere. New ones are still accepted."""
        self.draining = True

    async def stop_accepting(self, timeout: float) -> int:
        """Close the listeners, end idle connections, wait for the others that long at most. Returns how many are left."""
        self.drain()
        self._stop_listening()
        for connection in self._connections.values():
            connection.end_if_idle()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self._connections:
                    self._idle.clear()
                    await self._idle.wait()
        return len(self._connections)

    async def watch(self) -> None:
        """Wait as long as the server works. Raises what ended the sweep, a bug: without it no time limit holds."""
        if self._sweeper is not None:
            await asyncio.shield(self._sweeper)

    async def close(self) -> None:
        """End everything, answered or not. Idempotent."""
        self._stop_listening()
        for connection in self._connections.values():
            connection.transport.abort()
        if self._http is not None:
            await self._http.shutdown(SHUTDOWN_SECONDS)
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait([self._sweeper])
        self._listener = self._http = self._protocol = self._sweeper = None

    def finish(self, response: web.Response, request: web.BaseRequest, connection: Connection) -> web.Response:
        """The response, ending the connection where it must: in a drain, for a peer that ended, with a body unread."""
        if self.draining or connection.last or not request.content.is_eof():
            response.force_close()
        return response

    def connect(self) -> Connection:
        """The protocol of one more connection."""
        return Connection(self)

    # What a connection calls

    def admit(self, connection: Connection) -> web.RequestHandler | None:
        """aiohttp's protocol for a new connection; None when there is no room."""
        if self._protocol is None or not (self._handshakes is not None or self._make_room()):
            return None
        protocol = self._protocol()
        self._connections[protocol] = connection
        return protocol

    def lost(self, protocol: web.RequestHandler) -> None:
        """The connection is gone."""
        connection = self._connections.pop(protocol, None)
        if connection is not None:
            self._unfinished -= connection.unfinished
            connection.unfinished = 0
        if not self._connections:
            self._idle.set()

    def cut(self, reason: str, status: str) -> None:
        """Count a connection that a limit closed."""
        self._telemetry.emit(facts.REFUSED, app="", reason=reason, status=status, server=self.name)

    def hold(self, size: int) -> None:
        """So many bytes more (less: negative) are held for requests that aren't whole. Ends some where they are too many."""
        self._unfinished += size
        if self._unfinished > self._limits.max_unfinished:
            enough = self._limits.max_unfinished * 7 // 8
            for each in sorted(
                (each for each in self._connections.values() if each.unfinished), key=attrgetter("since")
            ):
                if self._unfinished > enough and each.waiting:
                    self._end(each, "too_much_unfinished")

    # Within

    @property
    def _shaking(self) -> int:
        return 0 if self._handshakes is None else len(self._handshakes)

    def _shake(self, accepted: socket.socket) -> None:
        if self._handshakes is None or not self._make_room():
            accepted.close()
        else:
            self._handshakes.begin(accepted, self.now())

    def _make_room(self) -> bool:
        """Room for one more: where there are too many, those go whose peers have kept us waiting longest.

        So a crowd of idle or dripping peers can't keep Feishu out. Some go at once, lest each newcomer costs a search.
        """
        if self.open_connections < self._most:
            return True
        waiting = (each for each in self._connections.values() if each.waiting)
        everyone: Iterable[Connection | Handshake] = chain(waiting, self._handshakes or ())
        crowd = nsmallest(max(1, self._most // CROWD_SHARE), everyone, key=attrgetter("since"))
        for each in crowd:
            self._end(each, "too_many_connections")
        if not crowd:
            self.cut("too_many_connections", "closed")
        return bool(crowd)

    def _end(self, each: Connection | Handshake, reason: str) -> None:
        each.drop()
        self.cut(reason, "closed")

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
        if self._handshakes is not None:
            self._handshakes.drop()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = self._connections.get(request.protocol)
        if connection is None:  # gone before its request was taken up: nobody hears this
            return web.Response(status=400)
        if request.version not in VERSIONS:  # aiohttp would take it, and answer as if it spoke it
            self.cut("http_version", "505")
            response = web.Response(status=505)
            response.force_close()
            return response
        return await self._handler(request, connection)

    async def _sweep(self) -> None:
        while True:
            await self._clock.sleep(SWEEP_SECONDS)
            soon = self._clock.monotonic() + SWEEP_SECONDS
            for connection in tuple(self._connections.values()):
                connection.check(soon)

    def _swept(self, sweeper: asyncio.Task[None]) -> None:
        if not sweeper.cancelled() and (error := sweeper.exception()) is not None:
            self._telemetry.emit(facts.CRASHED, worker=f"{self.name} sweep", exc_info=error)
