"""From an app's id and secret to a websocket: ask where to connect, and connect there."""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, cast
from urllib.parse import parse_qsl, urlsplit

import aiohttp
from multidict import CIMultiDict
from pydantic import SecretStr
from yarl import URL

from router.feishu.discovery import PATH, Endpoint, Refusal, Verdict, read_answer, read_handshake, request
from router.ingress.long_connection.failures import CAUGHT, AttemptError, failed
from router.ingress.long_connection.socket import MESSAGE_BYTES, WS_TIMEOUT, Socket, trace
from router.settings.model import AppSettings

ASK_SECONDS = 15.0
CONNECT_SECONDS = 15.0
ANSWER_BYTES = 64 << 10
MASK = "***"
SHORTEST_SECRET = 6
HEADERS = {"Content-Type": "application/json", "locale": "zh", "User-Agent": "feishu-event-router"}


class Dialed(NamedTuple):
    """A connection that stands."""

    socket: Socket
    endpoint: Endpoint


class Dialer:
    """Makes the connections of one app with the credentials that it was given."""

    def __init__(self, app: AppSettings) -> None:
        self._app = app
        self._proxy = urlsplit(_revealed(app.proxy)).netloc.rpartition("@")[2]
        self._session: aiohttp.ClientSession | None = None
        self._opening = asyncio.Lock()

    async def dial(self) -> Dialed:
        """Ask and connect. Raises AttemptError."""
        session = await self._open()
        endpoint = await self._ask(session)
        return Dialed(await self._connect(session, endpoint.url), endpoint)

    async def probe(self) -> None:
        """Ask where to connect, and open TCP and TLS to there. Raises AttemptError.

        No handshake: events would be pushed to whoever makes one, and it would count among the app's connections.
        """
        session = await self._open()
        await self._reach(session, (await self._ask(session)).url)

    async def close(self) -> None:
        """Close what is open. Idempotent."""
        if self._session is not None:
            await self._session.close()

    async def _open(self) -> aiohttp.ClientSession:
        async with self._opening:
            if self._session is None:
                tls = await asyncio.to_thread(_context, self._app.tls_ca_file)
                self._session = aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(ssl=tls, limit=0, force_close=True),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    proxy=_revealed(self._app.proxy) or None,
                    timeout=aiohttp.ClientTimeout(total=None),
                    trust_env=False,
                    trace_configs=[trace()],
                    ws_response_class=Socket,
                )
        return self._session

    async def _ask(self, session: aiohttp.ClientSession) -> Endpoint:
        secret = _revealed(self._app.app_secret)
        body = request(self._app.app_id, secret)
        where = self._app.domain + PATH
        try:
            async with (
                asyncio.timeout(ASK_SECONDS),
                session.post(where, data=body, headers=HEADERS, allow_redirects=False) as response,
            ):
                status, answer = response.status, await _bounded(response.content)
        except CAUGHT as error:
            raise failed(error, self._app.domain, self._proxy) from None
        read = read_answer(status, answer.replace(secret.encode(), MASK.encode()))
        if isinstance(read, Refusal):
            raise AttemptError(read)
        if self._app.domain.startswith("https:") and urlsplit(read.url).scheme != "wss":
            meaning = "the endpoint names an address without TLS, though DOMAIN has it"
            raise AttemptError(
                Refusal("not_wss", Verdict.SOON, meaning, "see what stands between the router and DOMAIN")
            )
        return read

    async def _reach(self, session: aiohttp.ClientSession, url: str) -> None:
        proxy = _revealed(self._app.proxy)
        connector = cast("aiohttp.BaseConnector", session.connector)  # which the session was made with
        try:
            request = aiohttp.ClientRequest(
                "GET", URL(url, encoded=True), session=session, proxy=URL(proxy) if proxy else None
            )
            async with asyncio.timeout(CONNECT_SECONDS):
                (await connector.connect(request, [], session.timeout)).close()
        except CAUGHT as error:
            raise failed(error, "the websocket", self._proxy) from None

    async def _connect(self, session: aiohttp.ClientSession, url: str) -> Socket:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                socket = await session.ws_connect(
                    URL(url, encoded=True),
                    timeout=WS_TIMEOUT,
                    autoping=False,
                    max_msg_size=MESSAGE_BYTES,
                    decode_text=False,
                    headers={"User-Agent": HEADERS["User-Agent"]},
                )
                return cast("Socket", socket)  # as the session was told to make it
        except aiohttp.WSServerHandshakeError as error:
            secret = _revealed(self._app.app_secret)
            raise AttemptError(read_handshake(error.status, _masked(error.headers or {}, url, secret))) from None
        except CAUGHT as error:
            raise failed(error, "the websocket", self._proxy) from None


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    """The body, as far as anybody may make it; what is cut off there is no JSON any more."""
    body = bytearray()
    while len(body) <= ANSWER_BYTES and (chunk := await content.readany()):
        body += chunk
    return bytes(body[:ANSWER_BYTES])


def _masked(headers: Mapping[str, str], url: str, secret: str) -> CIMultiDict[str]:
    """The headers without the app's secret and what is secret in the address: whoever answers may repeat them."""
    query = urlsplit(url).query
    written = [pair.partition("=")[2] for pair in query.split("&")]
    values = [*written, *(value for _, value in parse_qsl(query)), secret]
    secrets = sorted((value for value in values if len(value) >= SHORTEST_SECRET), key=len, reverse=True)

    def clean(text: str) -> str:
        for each in secrets:
            text = text.replace(each, MASK)
        return text

    return CIMultiDict((name, clean(value)) for name, value in headers.items())


def _context(ca_file: Path | None) -> ssl.SSLContext:
    """Blocks on disk. Raises AttemptError."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError):
        meaning = f"{ca_file} (TLS_CA_FILE) holds no CA certificate in PEM"
        raise AttemptError(Refusal("tls_ca_file", Verdict.SLOWLY, meaning, "give it one")) from None


def _revealed(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""
