"""How scripts, in whatever language, drive a stand-in while it runs: POST and GET under /simulate/."""

import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any

import orjson
from aiohttp import web

from router.admin.browsers import foreign
from router.feishu import samples
from router.feishu.discovery import ClientConfig, read_config
from router.feishu.numbers import load_exactly
from router.settings.address import Address
from router.simulator import telling
from router.simulator.faults import UnknownFaultError
from router.simulator.pushes import Push
from router.simulator.simulator import Simulator

PREFIX = "/simulate"
MAX_BODY = 8 << 20
MAX_TIMES = 1_000_000
INDEX = """A stand-in for Feishu. POST JSON to:
/simulate/push      an event, or a list of them; ?type=TYPE alone makes a sample; ?wait=1 answers when they have ended;
                    ?fresh=1 gives them ids of their own; ?app_id=, ?road=webhook|long_connection, ?queue=
/simulate/fault     {"name": "reset", "times": 3}, {"name": "reset", "share": 0.1} or {"heal": true}
/simulate/hang-up   {"how": "reset"} or {"how": "close"}
/simulate/config    {"ReconnectCount": -1, "ReconnectInterval": 2, "ReconnectNonce": 1, "PingInterval": 10}
GET /simulate/report    the account; ?events=1 with every event
"""


class AskedError(Exception):
    """What was asked makes no sense. The text says what would."""

    status = 400


class Control:
    """Answers the requests under /simulate/, and only those of this machine."""

    def __init__(self, simulator: Simulator, address: Address) -> None:
        self._simulator = simulator
        self._address = address

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request."""
        problem = self._stranger(request)
        if problem is not None:
            return _json({"error": problem}, 403)
        wanted = f"{request.method} {request.path.removeprefix(PREFIX)}"
        if not request.path.startswith(PREFIX):
            return web.Response(status=404)
        try:
            if wanted == "GET /report":
                events = request.query.get("events") == "1"
                return _json(telling.document(self._simulator, events=events))
            if wanted == "POST /push":
                return _json(await self._push(request.query, await _asked(request, load_exactly)))
            answer = self._answers.get(wanted)
            if answer is None:
                return web.Response(status=404, text=INDEX)
            return _json(await answer(self, _order(await _asked(request, orjson.loads))))
        except AskedError as error:
            return _json({"error": str(error)}, error.status)

    def _stranger(self, request: web.BaseRequest) -> str | None:
        peer = request.remote or ""
        try:
            own = ip_address(peer).is_loopback
        except ValueError:
            own = False
        if not own:
            return "only this machine may drive the stand-in"
        if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            return "a page of another origin may not drive the stand-in"
        return foreign(request.headers.get("Host"), request.headers.get("Origin"), self._address, trusted=False)

    async def _push(self, query: Mapping[str, str], asked: Any) -> Any:
        documents = asked if isinstance(asked, list) else [asked]
        if asked is None and query.get("type"):
            documents = [samples.sample(query["type"])]
        if not documents or not all(isinstance(each, dict) for each in documents):
            raise AskedError("expected an event as a JSON object, a list of them, or ?type= and no body")
        app_id = query.get("app_id") or next(iter(self._simulator.apps))
        if query.get("fresh") == "1" or asked is None:
            documents = [samples.fresh(each, time.time(), "", app_id) for each in documents]
        how = {"app_id": app_id, "road": query.get("road", ""), "queue": query.get("queue", "")}
        self._check(**how)
        pushes = [Push.of(each) for each in documents]
        if not all(push.id and push.type for push in pushes):
            raise AskedError(
                "an event has no header.event_id and header.event_type (in schema 1.0: uuid and event.type)"
            )
        records = [self._simulator.push(push, **how) for push in pushes]
        if query.get("wait") == "1":
            for record in records:
                await self._simulator.ended(record)
        return {"pushed": [record.document() for record in records]}

    def _check(self, app_id: str, road: str, queue: str) -> None:
        app = self._simulator.apps.get(app_id)
        if app is None:
            raise AskedError(f"there is no app {app_id!r}; there are {', '.join(self._simulator.apps)}")
        has = {"": True, "webhook": bool(app.webhook), "long_connection": bool(app.app_secret)}
        if not has.get(road):
            raise AskedError(
                f"road must be one that the app has: {', '.join(name for name in has if name and has[name])}"
            )
        if len(queue) > 200:
            raise AskedError("queue is too long")

    async def _fault(self, asked: dict[str, Any]) -> Any:
        faults = self._simulator.faults
        if asked.get("heal") is True:
            faults.heal()
            return {}
        name, share, times = str(asked.get("name", "")), asked.get("share"), asked.get("times", 1)
        try:
            if isinstance(share, int | float) and 0 <= share <= 1:
                faults.share(name, float(share))
            elif share is None and type(times) is int and 0 < times <= MAX_TIMES:
                faults.order(name, times)
            else:
                raise AskedError("share must be between 0 and 1, times between 1 and a million")
        except UnknownFaultError as error:
            raise AskedError(str(error)) from None
        return {}

    async def _hang_up(self, asked: dict[str, Any]) -> Any:
        how = asked.get("how", "reset")
        if how not in ("reset", "close"):
            raise AskedError("how must be reset or close")
        return {"connections": self._simulator.hang_up(how)}

    async def _config(self, asked: dict[str, Any]) -> Any:
        config = read_config(asked, ClientConfig())
        if config.document() != asked:
            raise AskedError(
                "expected ReconnectCount, ReconnectInterval, ReconnectNonce and PingInterval, the latter three in whole "
                "seconds from 1 to 3600, PingInterval to 120"
            )
        self._simulator.configure(config)
        return config.document()

    _answers = {  # noqa: RUF012 - never changed
        "POST /fault": _fault,
        "POST /hang-up": _hang_up,
        "POST /config": _config,
    }


async def _asked(request: web.BaseRequest, loads: Callable[[bytes], Any]) -> Any:
    """The body as JSON; None for an empty one."""
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > MAX_BODY:
            raise AskedError(f"the body has more than {MAX_BODY >> 20} MiB")
    try:
        return loads(bytes(body)) if body.strip() else None
    except ValueError as error:
        raise AskedError(f"the body is no JSON: {error}") from None


def _order(asked: Any) -> dict[str, Any]:
    """What was asked as an object; an empty body is an empty one."""
    if not isinstance(asked, dict | None):
        raise AskedError("expected a JSON object")
    return asked or {}


def _json(document: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(document) + b"\n", content_type="application/json")
