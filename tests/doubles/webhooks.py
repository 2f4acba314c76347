"""A real webhook server on a free port of loopback, with a journal at hand."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from router.clock import SystemClock
from router.ingress.intake import Intake, Store
from router.ingress.load import Load
from router.ingress.webhook import WebhookServer
from router.settings.model import AppSettings, IngressSettings, Settings, TlsSettings
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger
from tests.doubles.commanded_journal import CommandedJournal
from tests.doubles.pushes import KEY, TOKEN
from tests.doubles.raw_http import Answer, RawClient


class Hook:
    """The server under test and what can be seen of it."""

    def __init__(self, settings: Settings, journal: Store, level: str = "info") -> None:
        self.log = io.StringIO()
        self.telemetry = Telemetry(make_logger(level, "json", self.log))
        clock = SystemClock()
        limits = settings.ingress
        self.load = Load(limits.max_in_flight, limits.max_in_flight_bytes)
        self.intake = Intake(journal, self.telemetry, clock, self.load)
        self.server = WebhookServer(settings, self.intake, self.telemetry, clock)
        self.address = ""

    def client(self, **options: Any) -> RawClient:
        return RawClient(self.address, **options)

    async def push(self, data: bytes) -> Answer:
        """One request on a connection of its own."""
        async with self.client() as client:
            return await client.push(data)

    def count(self, name: str, **labels: str) -> float:
        """A counter's value, 0 when it was never raised."""
        return self.telemetry.registry.get_sample_value(f"fer_{name}_total", labels) or 0.0

    def refused(self, reason: str, status: str | int, app: str = "") -> float:
        return self.count("refused", app=app, reason=reason, status=str(status))


def app(key: str = KEY, token: str = TOKEN) -> AppSettings:
    return AppSettings(
        encrypt_key=[SecretStr(key)] if key else [], verification_token=[SecretStr(token)] if token else []
    )


def settings(apps: dict[str, AppSettings] | None = None, tls: TlsSettings | None = None, **ingress: Any) -> Settings:
    return Settings(
        listen="127.0.0.1:0",
        apps={"": app()} if apps is None else apps,
        tls=tls or TlsSettings(),
        ingress=IngressSettings(**ingress),
    )


@asynccontextmanager
async def webhook(
    chosen: Settings | None = None, journal: Store | None = None, level: str = "info", **ingress: Any
) -> AsyncIterator[Hook]:
    hook = Hook(chosen or settings(**ingress), journal or CommandedJournal(), level)
    (hook.address,) = await hook.server.start()
    try:
        yield hook
    finally:
        await hook.server.close()
