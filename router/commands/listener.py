"""A developer's connection to a router: made, told of, made again when it is lost, ended in good order."""

import asyncio
import random
from collections.abc import Callable

import click

from router.clock import SystemClock
from router.feishu.discovery import FEISHU, LARK, TOO_MANY, ClientConfig, Refusal, Verdict
from router.ingress.long_connection.dialer import Dialed, Dialer
from router.ingress.long_connection.failures import AttemptError
from router.ingress.long_connection.handler import Handler
from router.ingress.long_connection.session import Session
from router.ingress.long_connection.stopping import unless
from router.ingress.long_connection.tools import Tools
from router.ingress.long_connection.waits import Waits
from router.settings.model import AppSettings
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger

Say = Callable[[str], None]
_LISTEN = "is that the address of the router's FER_WS__LISTEN? The webhook and the admin port are others"
_REMEDIES = {
    "514": "compare the app id and the secret with APP_ID and APP_SECRET of the sink",
    "unreachable": "does the router run, with a sink of type feishu_ws, and is that the address of its FER_WS__LISTEN?",
    "timeout": "is --domain right, and does the network let this machine through?",
    "name": "is --domain right?",
    "certificate": "name the authority's certificate with --tls-ca-file",
    "tls": "without FER_WS__TLS__CERT_FILE the router speaks none: should --domain begin with http://?",
    "http_404": _LISTEN,
    "http_405": _LISTEN,
    "not_json": _LISTEN,
    "not_wss": "see what stands between this machine and the router",
    str(TOO_MANY): "end other programs that connect as this app; connections that were cut expire by themselves",
    "http_503": "the router is ending, or has as many connections as it takes: try again later",
}


class ListenError(click.ClickException):
    """There is no connection, and none to be expected; the text says what to do."""


class Listener:
    """Runs once. source: where to connect, and as which app."""

    def __init__(self, source: AppSettings, handler: Handler, budget_seconds: float, say: Say) -> None:
        self._source = source
        self._handler = handler
        self._budget = budget_seconds
        self._say = say
        self._tools = Tools(Telemetry(make_logger("warning", "console")), SystemClock())
        self._waits = Waits(random.random)
        self._config = ClientConfig()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`. Raises ListenError when the first attempt fails, or a later one for good.

        Raises click.UsageError for a file of authorities that is none.
        """
        dialer = Dialer(self._source)
        try:
            dialed = await self._first(dialer, stop)
            while dialed is not None:
                await self._session(dialed, stop)
                dialed = await self._again(dialer, stop)
        finally:
            await dialer.close()

    async def _first(self, dialer: Dialer, stop: asyncio.Event) -> Dialed | None:
        try:
            dialed = await unless(stop, dialer.dial())
        except AttemptError as error:
            if error.refusal.code == "tls_ca_file":
                words = f"--tls-ca-file: {self._source.tls_ca_file} holds no CA certificate in PEM"
                raise click.UsageError(words) from None
            raise ListenError(self._words(error.refusal)) from None
        if dialed is not None and self._source.domain in (FEISHU, LARK):
            self._say("Note: this is Feishu itself. Other programs of this app don't get the events that come here.")
        return dialed

    async def _again(self, dialer: Dialer, stop: asyncio.Event) -> Dialed | None:
        """Try until there is a connection; None once `stop` is set."""
        while not stop.is_set():
            wait = self._waits.after(Verdict.SOON, self._config)
            self._say(f"The next attempt is in {wait:.1f} s.")
            await unless(stop, self._tools.clock.sleep(wait))
            try:
                return await unless(stop, dialer.dial())
            except AttemptError as error:
                if error.refusal.verdict is Verdict.FATAL:
                    raise ListenError(self._words(error.refusal)) from None
                self._say(self._words(error.refusal))
        return None

    async def _session(self, dialed: Dialed, stop: asyncio.Event) -> None:
        self._waits.connected()
        name = f" ({dialed.endpoint.connection_id})" if dialed.endpoint.connection_id else ""
        self._say(f"Connected to {self._source.domain} as {self._source.app_id}{name}. Ctrl-C ends it.")
        session = Session("", dialed.socket, dialed.endpoint, self._handler, self._budget, self._tools)
        lost = await session.run(stop)
        self._config = session.config
        if not stop.is_set():
            self._say(f"The connection is lost: {lost.detail}.")

    def _words(self, refusal: Refusal) -> str:
        domain = self._source.domain
        meaning = refusal.meaning.removeprefix(f"{domain}: ").replace("DOMAIN", "--domain")
        why = meaning + (f" ({refusal.said})" if refusal.said else "")
        remedy = _REMEDIES.get(refusal.code, refusal.remedy.replace("DOMAIN", "--domain"))
        return f"no connection to {domain}: {why}" + (f"; {remedy}" if remedy else "")
