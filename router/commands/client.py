"""Asks a running router's admin API. Whatever goes wrong is said in words, with what to do about it."""

import http.client
import socket
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, urlencode

import click
import orjson

from router.admin import local
from router.admin.api import PREFIX
from router.feishu.numbers import has_float, parse_exactly

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
"""More than the router gives itself."""
PATH_MAX = 3800
"""A little less than the router takes of a request's first line."""
Query = Iterable[tuple[str, object]]


class ClientError(click.ClickException):
    """What was asked could not be had; the text says what to do."""


class NoRouterError(ClientError):
    """Nobody listens where the router should."""


class Door(NamedTuple):
    """One way to a router: its admin port, or the socket in its data directory. The token is in no repr."""

    shown: str
    host: str = ""
    port: int = 0
    tls: bool = False
    path: Path | None = None
    token: str = ""

    def __repr__(self) -> str:
        return f"Door({self.shown})"

    def connect(self) -> socket.socket:
        """A connection. Raises OSError."""
        if self.path is not None:
            return local.connect(self.path, CONNECT_SECONDS)
        return socket.create_connection((self.host, self.port), CONNECT_SECONDS)


class Client(Protocol):
    """Answers questions about `/api/v1/…`. Raises ClientError."""

    def get(self, path: str, query: Query = (), *, exact: bool = False) -> dict[str, Any]:
        """Read something. exact: numbers that Python would change are kept as they are written (as orjson's Fragments)."""

    def post(self, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Have something done."""

    def delete(self, path: str) -> dict[str, Any]:
        """Take something away."""


class HttpClient:
    """One connection a question: between two of them the router may have been started anew."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def get(self, path: str, query: Query = (), *, exact: bool = False) -> dict[str, Any]:
        """Read something."""
        asked = urlencode([(name, str(value)) for name, value in query])
        if len(asked) > PATH_MAX:
            raise ClientError("these are too many conditions for one question: give fewer, in several calls")
        return self._ask("GET", f"{path}?{asked}" if asked else path, exact=exact)

    def post(self, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Have something done."""
        return self._ask("POST", path, orjson.dumps(document))

    def delete(self, path: str) -> dict[str, Any]:
        """Take something away."""
        return self._ask("DELETE", path)

    def _ask(self, method: str, path: str, body: bytes | None = None, *, exact: bool = False) -> dict[str, Any]:
        connection = _Connection(self._door)
        try:
            connection.connect()
        except OSError as error:
            raise unreachable(self._door, error) from error
        try:
            connection.request(method, PREFIX + path, body, self._headers(body))
            response = connection.getresponse()
            return understood(self._door, response.status, response.read(), exact=exact)
        except TimeoutError as error:
            raise ClientError(
                f"the router at {self._door.shown} took the question and gave no answer within {ANSWER_SECONDS:g} s: "
                "look at its log, then ask again"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise ClientError(
                f"the connection to the router at {self._door.shown} broke ({type(error).__name__}): has it just ended? "
                "Its log says why"
            ) from error
        finally:
            connection.close()

    def _headers(self, body: bytes | None) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._door.token:
            headers["Authorization"] = f"Bearer {self._door.token}"
        return headers


class _Connection(http.client.HTTPConnection):
    """http.client's, over any door; no proxy is ever used."""

    def __init__(self, door: Door) -> None:
        super().__init__(door.host or "localhost", door.port or None)
        self._door = door

    def connect(self) -> None:
        plain = self._door.connect()
        try:
            self.sock = _wrapped(plain, self._door.host) if self._door.tls else plain
        except OSError:
            plain.close()
            raise
        self.sock.settimeout(ANSWER_SECONDS)


def _wrapped(plain: socket.socket, host: str) -> socket.socket:
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


def unreachable(door: Door, error: OSError) -> ClientError:
    """Why there is no connection. NoRouterError where nobody listens."""
    match error:
        case ConnectionRefusedError() | FileNotFoundError():
            return NoRouterError(f"no router answers at {door.shown}")
        case socket.gaierror():
            return ClientError(f"the name {door.host} is not known; look at --admin, or FER_ADMIN__LISTEN")
        case ssl.SSLCertVerificationError():
            return ClientError(f"the certificate at {door.shown} is not trusted: {error.verify_message}")
        case ssl.SSLError():
            return ClientError(f"{door.shown} speaks no TLS that we understand: should --admin begin with http:// ?")
        case TimeoutError():
            return ClientError(
                f"no answer from {door.shown} within {CONNECT_SECONDS:g} s: is the address right, and does the network let "
                "this machine through?"
            )
    return ClientError(f"{door.shown} can't be reached: {error.strerror or error}")


def understood(door: Door, status: int, body: bytes, *, exact: bool = False) -> dict[str, Any]:
    """The answer's document. Raises ClientError for a refusal, and for what is no answer of a router."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    if status >= 500 and not isinstance(document, dict):
        raise ClientError(
            f"what answers at {door.shown} failed (status {status}), and says no more: look at the router's log"
        )
    if not isinstance(document, dict) or (status >= 300 and not document.get("detail")):
        raise ClientError(f"what answers at {door.shown} (status {status}) is no Feishu Event Router's admin port")
    if status < 300:
        return parse_exactly(body) if exact and has_float(document) else document
    raise ClientError(_refused(door, status, str(document["detail"])))


def _refused(door: Door, status: int, detail: str) -> str:
    match status:
        case 401 if door.token:
            return f"the router at {door.shown} has another token than the one given: {_TOKEN}"
        case 401:
            return f"the router at {door.shown} wants its token: {_TOKEN}"
        case 403:
            return (
                f"the router at {door.shown} refused: {detail}. On its own machine, or with `kubectl exec` in its pod, "
                "the command needs no token"
            )
        case 404 if detail.startswith("not here"):
            return f"the router at {door.shown} is too old for this, or what answers there is another program"
    return detail


_TOKEN = "set FER_ADMIN__TOKEN_FILE as the router has it, or name the token's file with --token-file"  # noqa: S105 - advice


def part(name: object) -> str:
    """A name as one part of a path."""
    return quote(str(name), safe="")
