"""One request with aiohttp, from connection to outcome. Imported only when a sink opens."""

import asyncio
import base64
import io
import ssl
from contextlib import suppress

import aiohttp

from router.clock import Clock
from sinks.contract import Delivered, Unavailable
from sinks.http.answers import DEFAULTS, EMPTY, FEISHU, Answer, StatusTable, retry_after
from sinks.http.encode import Encoded
from sinks.http.excerpt import READ_BYTES, Excerpt, secrets_of
from sinks.http.failures import CAUGHT, failure
from sinks.http.settings import HttpSettings
from sinks.http.signature import sign, webhook_id
from sinks.http.values import parse_key, shown_url

DRAIN_BYTES = 65536
DRAIN_SECONDS = 1.0
"""The status is the answer. The body is read up to this only to keep the connection, or to quote it."""
_BUFFER_BYTES = 8192


class Client:
    """A session and everything that stays the same from request to request."""

    def __init__(self, settings: HttpSettings, tls: ssl.SSLContext, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._url = settings.url.get_secret_value()
        self._headers = _fixed_headers(settings)
        self._keys = [parse_key(item.get_secret_value()) for item in settings.signing_secrets]
        self._table = StatusTable(settings.table(), FEISHU if settings.format == "feishu" else DEFAULTS)
        self._excerpt = Excerpt(secrets_of(settings))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=settings.connections, keepalive_timeout=settings.keepalive_seconds, ssl=tls
            ),
            timeout=aiohttp.ClientTimeout(total=settings.seconds, connect=settings.connect_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=settings.proxy.get_secret_value() if settings.proxy else None,
            auto_decompress=False,
            trust_env=False,
            read_bufsize=_BUFFER_BYTES,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def post(self, encoded: Encoded, ids: list[str]) -> Answer:
        """Send the events `ids`. Raises nothing but cancellation."""
        if self._session.closed:
            return Answer(Unavailable("not_open", "the sink was closed meanwhile"))
        headers = encoded.headers | self._headers | self._signed(encoded.body, ids)
        try:
            response = await self._session.request(
                self._settings.method, self._url, data=_data(encoded.body), headers=headers, allow_redirects=False
            )
        except CAUGHT as error:
            return Answer(failure(error))
        try:
            return await self._answer(response)
        finally:
            response.close()

    async def ask(self, encoded: Encoded, seconds: float) -> tuple[int, bytes]:
        """Send what is no event. Give the status and the body's start. Raises one of `CAUGHT`."""
        headers = encoded.headers | self._headers
        async with (
            asyncio.timeout(seconds),
            self._session.post(self._url, data=encoded.body, headers=headers, allow_redirects=False) as response,
        ):
            return response.status, await _read(response, DRAIN_BYTES)

    def _signed(self, body: bytes, ids: list[str]) -> dict[str, str]:
        """The id goes with every delivery, signed or not: receivers need it to know repetitions."""
        message_id = webhook_id(ids)
        if not self._keys:
            return {"webhook-id": message_id}
        timestamp = int(self._clock.wall())
        signature = sign(self._keys, message_id, timestamp, body)
        return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": signature}

    async def _answer(self, response: aiohttp.ClientResponse) -> Answer:
        after = retry_after(response.headers.get("Retry-After"), self._clock.wall())
        answer = self._table.answer(response.status, "", after)
        raw = await _read(response, DRAIN_BYTES)
        if isinstance(answer.outcome, Delivered):
            return Answer(EMPTY) if self._says_nothing(response, raw) else answer
        return self._table.answer(response.status, self._detail(response, raw), after)

    def _says_nothing(self, response: aiohttp.ClientResponse, raw: bytes) -> bool:
        """Whether it is an empty answer that the settings don't take for one."""
        doubted = self._settings.empty_answer == "unavailable" and response.status == 200
        return doubted and not raw and response.content.at_eof()

    def _detail(self, response: aiohttp.ClientResponse, raw: bytes) -> str:
        parts = [f"answered {response.status}"]
        if 300 <= response.status < 400:
            parts.append(f"(redirects are not followed; this one points to {self._target(response)})")
        elif response.status < 300 and self._settings.format == "feishu":
            parts.append("(like Feishu, this format takes only 200 for delivered)")
        if self._settings.show_answer and "Content-Encoding" not in response.headers:
            head = raw[:READ_BYTES]
            complete = len(raw) <= READ_BYTES and response.content.at_eof()
            if shown := self._excerpt.clean(head, complete=complete):
                parts.append(f"with: {shown}")
        return " ".join(parts)

    def _target(self, response: aiohttp.ClientResponse) -> str:
        location = response.headers.get("Location", "")
        try:
            return self._excerpt.clean(shown_url(location).encode(), complete=True) if location else "nowhere"
        except ValueError:
            return "no readable address"


def _data(body: bytes) -> bytes | io.BytesIO:
    """As aiohttp wants it: what is large is written in pieces."""
    return body if len(body) <= 1 << 20 else io.BytesIO(body)


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """What comes of the body within the bounds; how it ends changes nothing."""
    raw = bytearray()
    with suppress(*CAUGHT):
        async with asyncio.timeout(DRAIN_SECONDS):
            while chunk := await response.content.read(limit - len(raw)):
                raw += chunk
    return bytes(raw)


def _fixed_headers(settings: HttpSettings) -> dict[str, str]:
    headers = {"User-Agent": settings.agent, "Accept-Encoding": "identity", **dict(settings.header_pairs())}
    if settings.bearer_token:
        headers["Authorization"] = f"Bearer {settings.bearer_token.get_secret_value()}"
    if settings.basic_password is not None:
        pair = f"{settings.basic_username}:{settings.basic_password.get_secret_value()}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return headers
