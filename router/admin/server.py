"""The second port: health, readiness, metrics, and the admin API for operators."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from router.admin import local
from router.admin.api import BODY_MAX, PREFIX, Api, Ask, Reply, index, refusal
from router.admin.browsers import foreign
from router.admin.gate import OPEN, refused
from router.admin.health import Health
from router.admin.problems import ProblemError
from router.clock import Clock, SystemClock
from router.ingress.connection import Connection
from router.ingress.server import HttpServer, ServerLimits
from router.operations.contract import Operators
from router.settings.address import parse_address
from router.settings.model import AdminSettings
from router.telemetry import Telemetry, facts

LIMITS = ServerLimits(max_connections=256, read_timeout=10.0, keepalive=75.0)
INDEX = """Feishu Event Router, admin port

/healthz  200 while the process works, 503 when it must be restarted
/readyz   200 while it can take pushes, 503 with the reason when not; says nothing of sinks
/metrics  metrics for Prometheus
"""
TEXT = "text/plain; charset=utf-8"

Page = Callable[[], Reply]


class AdminServer:
    """Serves what operators and Kubernetes ask.

    operators: what the API acts on; None: there is no API. socket_path: where to be reached by those who may read the data
    directory, without a token (`router.admin.local`); None: nowhere.
    """

    def __init__(
        self,
        settings: AdminSettings,
        telemetry: Telemetry,
        health: Health,
        clock: Clock | None = None,
        *,
        operators: Operators | None = None,
        socket_path: Path | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self._address = parse_address(settings.listen)
        self._token = settings.token.get_secret_value() if settings.token else None
        self._telemetry = telemetry
        self._health = health
        self._clock = clock
        self._api = Api(operators, self._note, clock) if operators is not None else None
        self._socket_path = socket_path
        self._local: asyncio.Server | None = None
        pages = INDEX if self._api is None else f"{INDEX}\n{index()}"
        self._pages: dict[str, Page] = {
            "/": lambda: Reply(200, pages.encode(), TEXT),
            "/healthz": self._alive,
            "/readyz": self._ready,
            "/metrics": lambda: Reply(200, telemetry.exposition(), CONTENT_TYPE_LATEST),
        }
        self._server = HttpServer("admin", self._handle, LIMITS, telemetry, clock)

    def use_token(self, token: str | None) -> None:
        """From now on this is the token."""
        self._token = token

    async def start(self) -> list[str]:
        """Listen; returns the addresses as `host:port`. Raises OSError when the address can't be had."""
        addresses = await self._server.start(self._address)
        if self._socket_path is not None:
            await self._start_local(self._socket_path)
        return addresses

    async def stop_accepting(self, timeout: float) -> int:
        """Close the listeners and finish what was accepted, that many seconds at most. Returns the connections left."""
        self._stop_local()
        return await self._server.stop_accepting(timeout)

    async def watch(self) -> None:
        """Wait as long as the server works. Raises what broke it."""
        await self._server.watch()

    async def close(self) -> None:
        """End everything. Idempotent."""
        self._stop_local()
        await self._server.close()

    async def _start_local(self, path: Path) -> None:
        try:
            listener = local.bind(path)
        except OSError as error:
            self._telemetry.emit(facts.ADMIN_SOCKET_MISSING, path=str(path), error=error.strerror or str(error))
            return
        self._local = await asyncio.get_running_loop().create_unix_server(self._server.connect, sock=listener)

    def _stop_local(self) -> None:
        if self._local is not None and self._socket_path is not None:
            self._local.close()
            self._local = None
            self._socket_path.unlink(missing_ok=True)

    async def _handle(self, request: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        connection.take()
        try:
            reply = await self._answer(request, connection)
        finally:
            connection.done()
        return self._server.finish(_response(reply), request, connection)

    async def _answer(self, request: web.BaseRequest, connection: Connection) -> Reply:
        path = request.path.rstrip("/") or "/"
        beside = local.caller(connection) if self._socket_path is not None else None
        try:
            if beside is None:
                self._check(request, path)
            if self._api is not None and path.startswith(PREFIX + "/"):
                return await self._api.answer(await self._ask(request, connection, beside))
            return self._page(request, path)
        except ProblemError as problem:
            return refusal(problem)

    def _check(self, request: web.BaseRequest, path: str) -> None:
        """Raises ProblemError when this request may not pass."""
        headers = request.headers
        why = refused(path, headers.get("Authorization"), self._token, loopback=self._address.loopback)
        if why is not None:
            status, reason = why
            challenge = {"WWW-Authenticate": 'Bearer realm="admin"'} if status == 401 else {}
            raise ProblemError(status, reason, headers=challenge)
        if path not in OPEN:
            trusted = self._token is not None
            alien = foreign(headers.get("Host"), headers.get("Origin"), self._address, trusted=trusted)
            if alien is not None:
                raise ProblemError(403, alien)

    async def _ask(self, request: web.BaseRequest, connection: Connection, beside: str | None) -> Ask:
        connection.body, connection.deadline = request.content, self._clock.monotonic() + LIMITS.read_timeout
        body = await _read(request)
        connection.body = None
        return Ask(
            request.method,
            request.rel_url.raw_path,
            list(request.query.items()),
            body,
            request.headers.get("Content-Type", ""),
            beside or request.remote or "",
        )

    def _page(self, request: web.BaseRequest, path: str) -> Reply:
        page = self._pages.get(path)
        if page is None:
            raise ProblemError(404, "not here; / lists what is")
        if request.method not in ("GET", "HEAD"):
            raise ProblemError(405, "GET only", headers={"Allow": "GET, HEAD"})
        return page()

    def _alive(self) -> Reply:
        dead = self._health().dead
        return _json(200, {"status": "alive"}) if dead is None else _json(503, {"status": "dead", "reason": dead})

    def _ready(self) -> Reply:
        condition = self._health()
        reason = condition.dead or condition.unready
        return (
            _json(200, {"status": "ready"}) if reason is None else _json(503, {"status": "unready", "reason": reason})
        )

    def _note(self, action: str, what: str, client: str, **fields: Any) -> None:
        self._telemetry.emit(facts.OPERATED, action=action, what=what, client=client, **fields)


async def _read(request: web.BaseRequest) -> bytes:
    """The whole body. Raises ProblemError: too large, overdue, broken off."""
    body = bytearray()
    try:
        while chunk := await request.content.readany():
            body += chunk
            if len(body) > BODY_MAX:
                raise ProblemError(413, f"the body may have {BODY_MAX:,} bytes at most")
    except TimeoutError:
        raise ProblemError(408, f"the body was not complete within {LIMITS.read_timeout:g} s") from None
    except (web.RequestPayloadError, ConnectionError):
        raise ProblemError(400, "the body broke off") from None
    return bytes(body)


def _json(status: int, content: dict[str, str]) -> Reply:
    return Reply(status, orjson.dumps(content) + b"\n")


def _response(reply: Reply) -> web.Response:
    headers = {
        "Content-Type": reply.content_type,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        **reply.headers,
    }
    return web.Response(status=reply.status, body=reply.body, headers=headers)
