"""The webhook: an HTTP request becomes a push, its reply a response. The hot path is `_push`."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from functools import partial

from aiohttp import web

from router.clock import Clock
from router.feishu.callback import receive
from router.feishu.keys import Keyring
from router.ingress.answers import Answers
from router.ingress.body import BodyError, read_body
from router.ingress.client_address import client_address, parse_networks
from router.ingress.connection import Connection
from router.ingress.intake import Intake
from router.ingress.ordinary import Headers, read
from router.ingress.replies import BUSY, ENCODED, LATE, METHOD, TOO_LARGE, UNKNOWN_PATH, Reply
from router.ingress.server import HttpServer, ServerLimits
from router.ingress.tls import ServerTls, server_context
from router.settings.address import parse_address
from router.settings.model import AppSettings, Settings
from router.telemetry import Telemetry, facts

PATH = "/webhook/event"
HINT = b"This is the Feishu webhook: it takes POST requests only.\n"
JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain; charset=utf-8", "Allow": "POST"}
NO_APP = {"": AppSettings()}


class WebhookServer:
    """Takes pushes for every app on its path: `/webhook/event` for the short form, `/webhook/event/<app>` for the others."""

    def __init__(self, settings: Settings, intake: Intake, telemetry: Telemetry, clock: Clock) -> None:
        limits = settings.ingress
        self._settings = settings
        self._limits = limits
        self._intake = intake
        self._telemetry = telemetry
        self._wall = clock.wall
        self._paths = app_paths(settings.apps)
        self._keyrings = {app: keyring(found) for app, found in (settings.apps or NO_APP).items()}
        self._answers = Answers()
        self._received = {app: telemetry.tally(facts.RECEIVED, app=app) for app, _ in self._paths.values()}
        self._trusted = parse_networks(limits.trusted_proxies)
        self._server = HttpServer(
            "webhook",
            self._handle,
            ServerLimits(
                limits.max_connections,
                limits.read_timeout_seconds,
                limits.keepalive_seconds,
                limits.max_in_flight_bytes,
            ),
            telemetry,
            clock,
        )
        self._server.ordinary = self._ordinary
        self._tls: ServerTls | None = None

    async def start(self) -> list[str]:
        """Listen; returns the addresses as `host:port`. Raises ValueError (address, TLS files) and OSError."""
        context = server_context(self._settings.tls)
        self._tls = ServerTls(context) if context is not None else None
        return await self._server.start(parse_address(self._settings.listen), context)

    def use_keys(self, app: str, settings: AppSettings) -> None:
        """Check the app's pushes against these keys and tokens, from the next one on."""
        self._keyrings[app] = keyring(settings)
        for path, (name, _) in self._paths.items():
            if name == app:
                self._paths[path] = (app, self._keyrings[app])

    def keyring(self, app: str) -> Keyring | None:
        """The keys in use of an app, by its name in the settings, whether it has a path or not."""
        return self._keyrings.get(app)

    def use_certificate(self, context: ssl.SSLContext) -> None:
        """Show new connections this context's certificate. For a server that was started with TLS."""
        if self._tls is not None:
            self._tls.use(context)

    def drain(self) -> None:
        """From now on every answer ends its connection; new ones are still accepted."""
        self._server.drain()

    async def stop_accepting(self, timeout: float) -> int:
        """Close the listeners and finish what was accepted, that many seconds at most. Returns the connections left."""
        return await self._server.stop_accepting(timeout)

    async def watch(self) -> None:
        """Wait as long as the server works. Raises what broke it."""
        await self._server.watch()

    async def close(self) -> None:
        """End everything. Idempotent."""
        await self._server.close()

    def connect(self) -> Connection:
        """The protocol of one more connection, for sockets that somebody else accepted."""
        return self._server.connect()

    @property
    def listening(self) -> bool:
        """Whether new connections are accepted."""
        return self._server.listening

    @property
    def in_flight(self) -> int:
        """Pushes taken up and not yet answered."""
        return self._server.in_flight

    @property
    def open_connections(self) -> int:
        """Connections there are now."""
        return self._server.open_connections

    async def _handle(self, request: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        begun = connection.take()
        try:
            found = self._paths.get(request.raw_path) or self._paths.get(plain_path(request.raw_path))
            if found is None:
                reply = self._intake.refuse("", UNKNOWN_PATH, partial(self._client, request))
            elif request.method != "POST":
                self._intake.refuse(found[0], METHOD, partial(self._client, request))
                return self._server.finish(web.Response(status=405, body=HINT, headers=TEXT), request, connection)
            else:
                reply = await self._push(request, connection, begun, found)
        finally:
            connection.done()
        return self._server.finish(to_response(reply), request, connection)

    async def _push(
        self, request: web.BaseRequest, connection: Connection, begun: float, found: tuple[str, Keyring]
    ) -> Reply:
        app = found[0]
        self._received[app].count += 1
        client = partial(self._client, request)
        headers = request.headers
        limits = self._limits
        content = request.content
        if "Content-Encoding" in headers and headers["Content-Encoding"].lower() != "identity":
            return self._intake.refuse(app, ENCODED, client)
        try:
            body = content.read_nowait() if content.is_eof() else await self._arriving(request, connection, begun)
        except BodyError as error:
            return self._intake.refuse(app, error.reply, client)
        if len(body) > limits.max_body_bytes:
            return self._intake.refuse(app, TOO_LARGE, client)
        taken = self._receive(found, headers, body, begun, client)
        if not isinstance(taken, asyncio.Future):
            return taken
        connection.deadline = begun + limits.budget_seconds
        connection.pending = taken
        reply = await taken
        if reply is LATE:
            self._intake.refuse(app, LATE, client)
        return reply

    def _receive(
        self,
        found: tuple[str, Keyring],
        headers: Mapping[str, str],
        body: bytes,
        begun: float,
        client: Callable[[], str],
    ) -> Reply | asyncio.Future[Reply]:
        app, keyring = found
        if not self._intake.load.admits(len(body)):
            return self._intake.refuse(app, BUSY, client)
        limits = self._limits
        result = receive(keyring, app, headers, body, self._wall(), limits.max_depth, limits.max_age_seconds)
        return self._intake.take(app, result, begun, client)

    def _ordinary(self, connection: Connection, data: bytes) -> bool:
        """Take an ordinary push without a task, a request and a response; whether it was one."""
        request = read(data, self._limits.max_body_bytes)
        found = self._paths.get(request.path) if request is not None else None
        if request is None or found is None:
            return False
        self._received[found[0]].count += 1
        begun = self._server.now()
        client = partial(self._ordinary_client, connection, request.headers)
        connection.busy = True
        taken = self._receive(found, request.headers, request.body, begun, client)
        if isinstance(taken, Reply):
            self._write(connection, taken)
        else:
            connection.deadline = begun + self._limits.budget_seconds
            connection.pending = taken
            taken.add_done_callback(partial(self._answered, connection, found[0], client))
        return True

    def _answered(
        self, connection: Connection, app: str, client: Callable[[], str], taken: "asyncio.Future[Reply]"
    ) -> None:
        reply = taken.result()
        self._write(connection, self._intake.refuse(app, LATE, client) if reply is LATE else reply)

    def _write(self, connection: Connection, reply: Reply) -> None:
        last = self._server.draining or connection.last or reply.close
        connection.answer(self._answers.of(reply, self._wall(), last=last), last=last)

    def _ordinary_client(self, connection: Connection, headers: Headers) -> str:
        peer = connection.transport.get_extra_info("peername")
        forwarded = headers.get("X-Forwarded-For")
        return client_address(str(peer[0]) if peer else "", [forwarded] if forwarded else [], self._trusted)

    async def _arriving(self, request: web.BaseRequest, connection: Connection, begun: float) -> bytes:
        connection.deadline = begun + self._limits.read_timeout_seconds
        connection.body = request.content
        body = await read_body(request, self._limits.max_body_bytes)
        connection.arrived()
        return body

    def _client(self, request: web.BaseRequest) -> str:
        return client_address(request.remote or "", request.headers.getall("X-Forwarded-For", []), self._trusted)


def app_paths(apps: dict[str, AppSettings]) -> dict[str, tuple[str, Keyring]]:
    """Path → app and its keys. The short form (and no app at all) has the name "" and the bare path.

    An app whose events come over long connections has none, unless it has a key or a token.
    """
    return {
        f"{PATH}/{name}" if name else PATH: (name, keyring(app))
        for name, app in (apps or NO_APP).items()
        if app.has_webhook
    }


def keyring(app: AppSettings) -> Keyring:
    """What the app's pushes are checked against."""
    return Keyring(
        [key.get_secret_value() for key in app.encrypt_key],
        [token.get_secret_value() for token in app.verification_token],
        app.app_id,
    )


def plain_path(raw_path: str) -> str:
    """The path without its query and a slash at the end."""
    return raw_path.partition("?")[0].removesuffix("/")


def to_response(reply: Reply) -> web.Response:
    """The reply in HTTP."""
    response = web.Response(status=reply.status, body=reply.body, headers=JSON)
    if reply.retry_after:
        response.headers["Retry-After"] = str(reply.retry_after)
    if reply.close:
        response.force_close()
    return response
