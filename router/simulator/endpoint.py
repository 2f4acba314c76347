"""Where clients ask for an address, and whether the websocket they open with it is theirs."""

import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from aiohttp import web

from router.clock import Clock
from router.feishu.discovery import ERROR_CODE, MESSAGE, STATUS, TOO_MANY, ClientConfig
from router.simulator.faults import Faults, Moment

WS_PATH = "/ws/v2"
TICKET_SECONDS = 60.0
MAX_TICKETS = 10_000
WRONG = 514
_SAID = {
    1: "system busy",
    403: "forbidden",
    WRONG: "invalid app id or secret",
    1000040343: "internal error",
    1000040344: "no credential",
    TOO_MANY: "the number of connections exceeded the limit",
}


@dataclass(frozen=True, slots=True)
class App:
    """An app of the developer console. app_secret "": it has no long connection; webhook: where its events are pushed to,
    "": nowhere."""

    app_id: str
    app_secret: str = field(default="", repr=False)
    webhook: str = ""
    encrypt_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


class Ticket(NamedTuple):
    """What stands behind an address that was given out."""

    app_id: str
    connection_id: str
    service: int
    until: float


class Doors:
    """Gives out addresses, each good once and for a minute.

    crowded: whether an app has all the connections it may have.
    """

    def __init__(self, apps: Sequence[App], faults: Faults, clock: Clock, crowded: Callable[[str], bool]) -> None:
        self.config = ClientConfig()
        self._apps = {app.app_id: app for app in apps}
        self._faults = faults
        self._clock = clock
        self._crowded = crowded
        self._tickets: dict[str, Ticket] = {}

    def discover(self, body: bytes, host: str) -> web.Response | None:
        """The answer to somebody who asks for an address; None: none at all."""
        fault = self._faults.at(Moment.DISCOVERY)
        if fault == "no-answer":
            return None
        if fault.startswith("http-"):
            return web.Response(status=int(fault.removeprefix("http-")))
        if fault == "no-json":
            return web.Response(text="<html>it works</html>", content_type="text/html")
        if fault.startswith("code-"):
            return _refused(int(fault.removeprefix("code-")))
        app = self._app(body)
        if app is None:
            return _refused(WRONG)
        data: dict[str, Any] = {"URL": self._address(app, host), "ClientConfig": self.config.document()}
        if fault == "no-url":
            data["URL"] = ""
        elif fault == "no-config":
            del data["ClientConfig"]
        return _json({"code": 0, "msg": "", "data": data})

    def enter(self, query: Mapping[str, str]) -> Ticket | web.Response:
        """Whose websocket it is, or the refusal."""
        fault = self._faults.at(Moment.HANDSHAKE)
        if fault in _HANDSHAKES:
            status, headers = _HANDSHAKES[fault]
            return web.Response(status=status, headers=headers)
        ticket = self._tickets.pop(query.get("ticket", ""), None)
        if ticket is None or ticket.until < self._clock.monotonic() or ticket.connection_id != query.get("device_id"):
            return web.Response(status=403, headers={STATUS: "514", ERROR_CODE: "1000040351", MESSAGE: "bad ticket"})
        if self._crowded(ticket.app_id):
            status, headers = _HANDSHAKES["handshake-too-many"]
            return web.Response(status=status, headers=headers)
        return ticket

    def _app(self, body: bytes) -> App | None:
        try:
            asked = orjson.loads(body)
        except ValueError:
            return None
        if not isinstance(asked, dict):
            return None
        app_id, secret = asked.get("AppID"), asked.get("AppSecret")
        if not (isinstance(app_id, str) and isinstance(secret, str)):
            return None
        app = self._apps.get(app_id)
        if app is None or not app.app_secret:
            return None
        return app if hmac.compare_digest(app.app_secret.encode(), secret.encode()) else None

    def _address(self, app: App, host: str) -> str:
        now = self._clock.monotonic()
        while self._tickets and (len(self._tickets) >= MAX_TICKETS or next(iter(self._tickets.values())).until < now):
            del self._tickets[next(iter(self._tickets))]
        secret = secrets.token_hex(16)
        ticket = Ticket(app.app_id, str(secrets.randbits(62)), 1 + secrets.randbelow(1 << 30), now + TICKET_SECONDS)
        self._tickets[secret] = ticket
        known = f"device_id={ticket.connection_id}&access_key={secrets.token_hex(16)}&service_id={ticket.service}"
        return f"ws://{host}{WS_PATH}?fpid=493&aid=552564&{known}&ticket={secret}"


_HANDSHAKES: dict[str, tuple[int, dict[str, str]]] = {
    "handshake-403": (403, {}),
    "handshake-500": (500, {}),
    "handshake-503": (503, {}),
    "handshake-forbidden": (403, {STATUS: "403", MESSAGE: "forbidden"}),
    "handshake-auth": (403, {STATUS: "514", ERROR_CODE: "1000040351", MESSAGE: "auth failed"}),
    "handshake-too-many": (403, {STATUS: "514", ERROR_CODE: str(TOO_MANY), MESSAGE: _SAID[TOO_MANY]}),
}


def _refused(code: int) -> web.Response:
    return _json({"code": code, "msg": _SAID.get(code, "refused"), "data": {}})


def _json(document: dict[str, Any]) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json")
