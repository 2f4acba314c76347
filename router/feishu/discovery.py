"""How a long connection is asked for, and what the answers mean.

A client posts its app's id and secret to PATH and gets the websocket's URL, good for one use and a secret in itself. Codes:
what the official SDKs do with each. Where they stop for good we try again, slowly: nobody restarts a router for that.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import orjson

PATH = "/callback/ws/endpoint"
FEISHU, LARK = "https://open.feishu.cn", "https://open.larksuite.com"
STATUS, ERROR_CODE, MESSAGE = "Handshake-Status", "Handshake-Autherrcode", "Handshake-Msg"
TOO_MANY = 1000040350
_BUSY, _INTERNAL, _NO_CREDENTIAL = 1, 1000040343, 1000040344
_SHORTEST, _LONGEST, _LONGEST_PING = 1.0, 3600.0, 120.0
_TEXT = 200


class Verdict(Enum):
    """SOON: it will pass. SLOWLY: something of ours must end first. FATAL: somebody must change a setting."""

    SOON = "soon"
    SLOWLY = "slowly"
    FATAL = "fatal"


class ClientConfig(NamedTuple):
    """How a client is to behave; seconds. Defaults: what the SDKs assume before the server has spoken."""

    reconnect_count: int = -1
    reconnect_interval: float = 120.0
    reconnect_nonce: float = 30.0
    ping_interval: float = 120.0

    def document(self) -> dict[str, Any]:
        """As it stands in an answer and in a pong. Whole numbers, as the SDKs read them."""
        return {
            "ReconnectCount": self.reconnect_count,
            "ReconnectInterval": int(self.reconnect_interval),
            "ReconnectNonce": int(self.reconnect_nonce),
            "PingInterval": int(self.ping_interval),
        }


class Endpoint(NamedTuple):
    """Where to connect. url: a secret; connection_id: for logs; service_id: for pings."""

    url: str
    connection_id: str
    service_id: int
    config: ClientConfig


class Refusal(NamedTuple):
    """Why there is no connection. code: bounded, for metrics; meaning and remedy: for people; said: the peer's own words."""

    code: str
    verdict: Verdict
    meaning: str
    remedy: str = ""
    said: str = ""

    @property
    def text(self) -> str:
        """All of it but the code, in one line."""
        reason = f"{self.meaning}: {self.said}" if self.said else self.meaning
        return f"{reason} ({self.remedy})" if self.remedy else reason


_MEANINGS: dict[int, tuple[Verdict, str, str]] = {
    _BUSY: (Verdict.SOON, "Feishu is busy", ""),
    _INTERNAL: (Verdict.SOON, "Feishu had an internal error", ""),
    _NO_CREDENTIAL: (Verdict.FATAL, "no credential was sent", "set APP_ID and APP_SECRET"),
    403: (Verdict.FATAL, "forbidden", "see that the app is self-built, published, and may use the long connection"),
    514: (Verdict.FATAL, "the app's id or secret is wrong", "compare APP_ID and APP_SECRET with Feishu's console"),
    TOO_MANY: (
        Verdict.SLOWLY,
        "the app has too many connections",
        "lower CONNECTIONS, or end other programs that connect as this app; connections that were cut expire by themselves",
    ),
}
_CHECK = "look the code up in Feishu's documentation; APP_ID, APP_SECRET and the app's settings decide"


def request(app_id: str, secret: str) -> bytes:
    """The body that is posted to PATH. The capitals matter."""
    return orjson.dumps({"AppID": app_id, "AppSecret": secret})


def read_answer(status: int, body: bytes) -> Endpoint | Refusal:
    """What discovery was answered."""
    if status != 200:
        remedy = "it may pass; if not, see that DOMAIN is right" if status >= 500 else "see that DOMAIN is right"
        return Refusal(f"http_{status}", Verdict.SOON, f"the endpoint answered HTTP {status}", remedy)
    document = _object(body)
    code = document.get("code") if document is not None else None
    if document is None or type(code) is not int:
        return Refusal(
            "not_json", Verdict.SOON, "the endpoint's answer is none of Feishu's", "see that DOMAIN is right"
        )
    if code != 0:
        return _refused(code, document.get("msg"))
    data = document.get("data")
    endpoint = _endpoint(data) if isinstance(data, dict) else None
    return endpoint or Refusal("no_url", Verdict.SOON, "the endpoint's answer has no usable URL")


def read_handshake(status: int, headers: Mapping[str, str]) -> Refusal:
    """Why the websocket was refused. headers: must not care about case."""
    named = headers.get(STATUS, "")
    said = headers.get(MESSAGE)
    if named == "514":
        if headers.get(ERROR_CODE) == str(TOO_MANY):
            return _refused(TOO_MANY, said)
        meaning = "the handshake's credentials were not taken"
        return Refusal("handshake_514", Verdict.SOON, meaning, said=_clean(said))
    if named == "403":
        return _refused(403, said)
    what = "HTTP 101, but not for this websocket" if status == 101 else f"HTTP {status}"
    return Refusal(f"handshake_{status}", Verdict.SOON, f"the handshake was answered {what}", said=_clean(said))


def read_config(document: Any, before: ClientConfig) -> ClientConfig:
    """A client configuration. Each field stands for itself: what is missing, or can't be meant, stays as it was before.

    Times are kept within bounds. A wait of 0 is none, which would bring all clients back at once; an interval of pings of 0
    is no interval. Pings are what shows that nobody is there any more: they come every two minutes at least.
    """
    given = document if isinstance(document, dict) else {}
    count = given.get("ReconnectCount")
    return ClientConfig(
        count if type(count) is int else before.reconnect_count,
        _within(given.get("ReconnectInterval"), before.reconnect_interval),
        _within(given.get("ReconnectNonce"), before.reconnect_nonce),
        _within(given.get("PingInterval") or None, before.ping_interval, _LONGEST_PING),
    )


def _within(seconds: Any, before: float, longest: float = _LONGEST) -> float:
    """The seconds, within bounds; what was before in place of what can't be meant."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not seconds >= 0:
        return before
    return float(min(max(seconds, _SHORTEST), longest))


def _endpoint(data: dict[str, Any]) -> Endpoint | None:
    url = data.get("URL")
    if not isinstance(url, str) or not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("ws", "wss") or not host:
        return None
    service = query.get("service_id", ["0"])[-1]
    known = service.isascii() and service.isdigit() and len(service) <= 10
    connection = query.get("device_id", [""])[-1]
    config = read_config(data.get("ClientConfig"), ClientConfig())
    return Endpoint(url, _clean(connection)[:64], int(service) & 0x7FFFFFFF if known else 0, config)


def _refused(code: int, said: Any) -> Refusal:
    """A code that nobody wrote down is said, but is no label of a metric."""
    if code in _MEANINGS:
        verdict, meaning, remedy = _MEANINGS[code]
        return Refusal(str(code), verdict, meaning, remedy, _clean(said))
    return Refusal("other", Verdict.FATAL, f"Feishu refuses the app with code {code}", _CHECK, _clean(said))


def _clean(text: Any) -> str:
    """The peer's words, bounded and on one line."""
    return "".join(char if char.isprintable() else " " for char in text[:_TEXT]) if isinstance(text, str) else ""


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
