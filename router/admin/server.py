"""The second port: health, readiness, metrics."""

from collections.abc import Callable

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from router.admin.gate import refused
from router.admin.health import Health
from router.clock import Clock, SystemClock
from router.ingress.connection import Connection
from router.ingress.server import HttpServer, ServerLimits
from router.settings.address import parse_address
from router.settings.model import AdminSettings
from router.telemetry import Telemetry

LIMITS = ServerLimits(max_connections=256, read_timeout=10.0, keepalive=75.0)
INDEX = b"""Feishu Event Router, admin port

/healthz  200 while the process works, 503 when it must be restarted
/readyz   200 while it can take pushes, 503 with the reason when not; says nothing of sinks
/metrics  metrics for Prometheus
"""
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"

Page = Callable[[], web.Response]


class AdminServer:
    """Serves what operators and Kubernetes ask. Answers GET and HEAD."""

    def __init__(
        self, settings: AdminSettings, telemetry: Telemetry, health: Health, clock: Clock | None = None
    ) -> None:
        self._address = parse_address(settings.listen)
        self._token = settings.token.get_secret_value() if settings.token else None
        self._telemetry = telemetry
        self._health = health
        self._pages: dict[str, Page] = {
            "/": lambda: _page(200, INDEX, TEXT),
            "/healthz": self._alive,
            "/readyz": self._ready,
            "/metrics": lambda: _page(200, telemetry.exposition(), CONTENT_TYPE_LATEST),
        }
        self._server = HttpServer("admin", self._handle, LIMITS, telemetry, clock or SystemClock())

    async def start(self) -> list[str]:
        """Listen; returns the addresses as `host:port`. Raises OSError when the address can't be had."""
        return await self._server.start(self._address)

    async def stop_accepting(self, timeout: float) -> int:
        """Close the listeners and finish what was accepted, that many seconds at most. Returns the connections left."""
        return await self._server.stop_accepting(timeout)

    async def watch(self) -> None:
        """Wait as long as the server works. Raises what broke it."""
        await self._server.watch()

    async def close(self) -> None:
        """End everything. Idempotent."""
        await self._server.close()

    async def _handle(self, request: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        connection.take()
        try:
            response = self._answer(request)
        finally:
            connection.done()
        return self._server.finish(response, request, connection)

    def _answer(self, request: web.BaseRequest) -> web.Response:
        path = request.path.rstrip("/") or "/"
        reason = refused(path, request.headers.get("Authorization"), self._token, loopback=self._address.loopback)
        if reason is not None:
            return _challenge(*reason)
        page = self._pages.get(path)
        if page is None:
            return _json(404, {"error": "not here; / lists what is"})
        if request.method not in ("GET", "HEAD"):
            response = _json(405, {"error": "GET only"})
            response.headers["Allow"] = "GET, HEAD"
            return response
        return page()

    def _alive(self) -> web.Response:
        dead = self._health().dead
        return _json(200, {"status": "alive"}) if dead is None else _json(503, {"status": "dead", "reason": dead})

    def _ready(self) -> web.Response:
        condition = self._health()
        reason = condition.dead or condition.unready
        return (
            _json(200, {"status": "ready"}) if reason is None else _json(503, {"status": "unready", "reason": reason})
        )


def _challenge(status: int, reason: str) -> web.Response:
    response = _json(status, {"error": reason})
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="admin"'
    return response


def _json(status: int, content: dict[str, str]) -> web.Response:
    return _page(status, orjson.dumps(content) + b"\n", JSON)


def _page(status: int, body: bytes, content_type: str) -> web.Response:
    headers = {"Content-Type": content_type, "Server": "feishu-event-router", "Cache-Control": "no-store"}
    return web.Response(status=status, body=body, headers=headers)
