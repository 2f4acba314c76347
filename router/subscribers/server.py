"""The port that programs connect to as they would to Feishu: they ask for an address, and open a websocket there."""

import asyncio
import secrets
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import orjson
from aiohttp import web

from router.clock import Clock
from router.feishu.discovery import MESSAGE, PATH, STATUS, ClientConfig
from router.ingress.body import BodyError, read_body
from router.ingress.client_address import Network, client_address
from router.ingress.connection import Connection
from router.ingress.server import HttpServer, ServerLimits
from router.ingress.tls import ServerTls, server_context
from router.settings.address import Address, parse_address
from router.settings.model import WsSettings
from router.subscribers.addresses import CONNECT, base, place, query
from router.subscribers.groups import Group, Groups
from router.subscribers.session import MESSAGE_BYTES, About, Session, Tools
from router.subscribers.status import ProgramRow
from router.subscribers.tickets import Tickets
from router.telemetry import Telemetry, facts
from sinks.feishu_ws.line import SERVICE
from sinks.feishu_ws.pool import Pool

BODY_BYTES = 16 << 10
WAITING_ROOM = 64
"""Connections beyond the limit: where one too many is told so."""
LOOK_SECONDS = 1.0
PENALTY_SECONDS = 1.0
PENALTIES = 64
"""So many who gave a wrong secret may wait for their answer at once; others are told to come back."""
NONCE_SECONDS = 3.0
"""Programs that lost their connection come back spread over so long."""
ATTEMPTS = 1_000_000_000
"""Some SDKs give up after so many; none reads 0 or less as one would like."""
KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 30_000}
HEADERS = {"Cache-Control": "no-store"}
WRONG = orjson.dumps({"code": 514, "msg": "invalid app id or app secret", "data": {}})


class Refusal(Exception):  # noqa: N818 - an answer, no error
    """Come back later: what isn't so for good is told by the status alone, all SDKs try again then."""

    def __init__(self, reason: str, status: int = 503) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class SubscriberServer:
    """Knows the connected programs of all groups. Their pools belong to the sinks."""

    def __init__(
        self,
        settings: WsSettings,
        groups: Sequence[Group],
        telemetry: Telemetry,
        clock: Clock,
        trusted: Sequence[Network] = (),
    ) -> None:
        """trusted: networks of proxies that are believed who they speak for."""
        self._settings = settings
        self._trusted = trusted
        self._groups = Groups(groups)
        self._telemetry = telemetry
        self._clock = clock
        interval, ping = settings.reconnect_interval_seconds, settings.ping_interval_seconds
        self._tools = Tools(telemetry, clock, ClientConfig(ATTEMPTS, interval, NONCE_SECONDS, ping))
        self._config = self._tools.config.document()
        self._tickets: Tickets[tuple[Group, str]] = Tickets()
        self._sessions: set[Session] = set()
        self._penalties = 0
        self._draining = False
        self._address = parse_address(settings.listen)
        self._tls: ServerTls | None = None
        most = settings.max_connections + WAITING_ROOM
        limits = ServerLimits(most, settings.handshake_seconds, settings.handshake_seconds, 4 << 20)
        self._server = HttpServer("subscribers", self._handle, limits, telemetry, clock)

    async def start(self) -> list[str]:
        """Listen; returns the addresses as `host:port`. Raises ValueError (TLS files) and OSError."""
        context = server_context(self._settings.tls)
        self._tls = ServerTls(context) if context is not None else None
        addresses = await self._server.start(self._address, context)
        self._address = Address(self._address.host or "127.0.0.1", parse_address(addresses[0]).port)
        return addresses

    def use_secrets(self, sink: str, secrets_: Sequence[str]) -> Pool:
        """From now on these let programs of that sink in. Who is connected stays, in the pool that is given back."""
        group = self._groups.of(sink)
        group.use(secrets_)
        return group.pool

    def use_certificate(self, context: ssl.SSLContext) -> None:
        """Show new connections this context's certificate. For a server that was started with TLS."""
        if self._tls is not None:
            self._tls.use(context)

    @property
    def groups(self) -> Sequence[Group]:
        """Whose programs may connect."""
        return self._groups.all

    def rows(self) -> Sequence[ProgramRow]:
        """The connected programs of all groups, as operators see them."""
        return [session.row() for session in self.sessions]

    @property
    def sessions(self) -> Sequence[Session]:
        """The connected programs, the longest connected first."""
        return sorted(self._sessions, key=lambda session: session.about.since_ms)

    async def watch(self) -> None:
        """Wait as long as the server works. Raises what broke it."""
        await self._server.watch()

    async def look(self) -> None:
        """Give up programs that have fallen silent, until cancelled."""
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            now = self._clock.monotonic()
            for session in self.sessions:
                session.check(now)

    def drain(self) -> None:
        """Let nobody in any more. Who is there goes on getting what is left."""
        self._draining = True
        self._server.drain()

    async def close(self) -> None:
        """Send everybody away. Idempotent."""
        self._draining = True
        sessions = self.sessions
        for session in sessions:
            session.end("draining")
        await asyncio.gather(*(session.ended() for session in sessions))
        await self._server.close()

    # Requests

    async def _handle(self, request: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        begun = connection.take()
        try:
            return await self._answer(request, connection, begun)
        except Refusal as refusal:
            self._note(refusal.reason, request, refusal.status)
            return self._server.finish(_refused(refusal), request, connection)
        finally:
            connection.done()

    async def _answer(self, request: web.BaseRequest, connection: Connection, begun: float) -> web.StreamResponse:
        prefix, where = place(request.raw_path)
        if not where:
            raise Refusal("path", 404)
        if request.method != ("POST" if where == PATH else "GET"):
            raise Refusal("method", 405)
        if where == CONNECT:
            return await self._connect(request, connection)
        answer = await self._discover(request, connection, begun, prefix)
        return self._server.finish(answer, request, connection)

    def _note(self, reason: str, request: web.BaseRequest, status: int, **more: Any) -> None:
        client = self._client(request)
        self._telemetry.emit(facts.SUBSCRIBER_REFUSED, reason=reason, client=client, status=status, **more)

    def _client(self, request: web.BaseRequest) -> str:
        return client_address(request.remote or "", request.headers.getall("X-Forwarded-For", []), self._trusted)

    async def _discover(
        self, request: web.BaseRequest, connection: Connection, begun: float, prefix: str
    ) -> web.Response:
        connection.deadline, connection.body = begun + self._settings.handshake_seconds, request.content
        try:
            body = await read_body(request, BODY_BYTES)
        except BodyError as error:
            raise Refusal(error.reply.reason, error.reply.status) from None
        connection.arrived()
        connection.deadline = float("inf")
        app_id, secret = _credentials(body)
        group = self._groups.find(app_id, secret)
        if group is None:
            return await self._wrong(request, self._groups.named(app_id))
        if self._draining:
            raise Refusal("draining")
        if self._full(group):
            raise Refusal("too_many_connections")
        connection_id = str(secrets.randbits(62))
        ticket = self._tickets.issue((group, connection_id), self._clock.monotonic())
        tls = self._tls is not None
        address = base(self._settings.public_url, request.headers, prefix, self._address, tls=tls)
        url = f"{address}?{query(connection_id, SERVICE, ticket)}"
        return _json({"code": 0, "msg": "", "data": {"URL": url, "ClientConfig": self._config}})

    def _full(self, group: Group) -> bool:
        return group.pool.full or len(self._sessions) >= self._settings.max_connections

    async def _wrong(self, request: web.BaseRequest, sink: str) -> web.Response:
        """Takes its time, so that guessing does. sink: whose secret was wrong, "" when the id is nobody's."""
        if self._penalties >= PENALTIES:
            raise Refusal("too_many_wrong")
        self._note("credentials", request, 200, sink=sink)
        self._penalties += 1
        try:
            await self._clock.sleep(PENALTY_SECONDS)
        finally:
            self._penalties -= 1
        return web.Response(body=WRONG, content_type="application/json", headers=HEADERS)

    # Websockets

    async def _connect(self, request: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        found = self._tickets.redeem(request.query.get("ticket", ""), self._clock.monotonic())
        if found is None or found[1] != request.query.get("device_id"):
            raise Refusal("ticket")
        group, connection_id = found
        if self._draining:
            raise Refusal("draining")
        if self._full(group):
            raise Refusal("too_many_connections")
        websocket = web.WebSocketResponse(compress=False, max_msg_size=MESSAGE_BYTES, timeout=1.0, autoping=False)
        try:
            await websocket.prepare(request)
        except web.HTTPException:
            raise Refusal("no_websocket", 400) from None
        connection.upgrade()
        _keep_alive(connection.transport)
        about = About(connection_id, self._client(request), _agent(request), int(self._clock.wall() * 1000))
        await self._serve(Session(group, about, websocket, connection.transport.abort, self._tools))
        return websocket

    async def _serve(self, session: Session) -> None:
        self._sessions.add(session)
        known: dict[str, Any] = {"sink": session.group.sink, "connection": session.about.id}
        self._telemetry.emit(
            facts.SUBSCRIBER_CONNECTED, **known, client=session.about.client, agent=session.about.agent
        )
        reason = "lost"
        try:
            reason = await session.run()
        finally:
            self._sessions.discard(session)
            self._telemetry.emit(facts.SUBSCRIBER_GONE, **known, reason=reason, acknowledged=session.about.acknowledged)


def _credentials(body: bytes) -> tuple[str, str]:
    """What was given as id and secret, "" for what isn't there. Whatever else is given counts for nothing."""
    try:
        document = orjson.loads(body)
    except ValueError:
        document = None
    given = document if isinstance(document, dict) else {}
    app_id, secret = given.get("AppID"), given.get("AppSecret")
    return app_id if isinstance(app_id, str) else "", secret if isinstance(secret, str) else ""


def _refused(refusal: Refusal) -> web.Response:
    response = web.Response(status=refusal.status, body=b'{"error":"%s"}' % refusal.reason.encode(), headers=HEADERS)
    response.content_type = "application/json"
    if refusal.reason == "ticket":
        response.headers[STATUS], response.headers[MESSAGE] = "514", "the ticket is unknown, used or too old"
    if refusal.status == 503:
        response.headers["Retry-After"] = "5"
    return response


def _json(document: dict[str, Any]) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json", headers=HEADERS)


def _agent(request: web.BaseRequest) -> str:
    text = request.headers.get("User-Agent", "")
    return "".join(char for char in text[:80] if char.isprintable())


def _keep_alive(transport: asyncio.Transport) -> None:
    """Notice a peer whose machine is gone within a minute or so, where the system can."""
    peer: socket.socket | None = transport.get_extra_info("socket")
    if peer is None or peer.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with suppress(OSError):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEPALIVE.items():
            if hasattr(socket, name):
                peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
