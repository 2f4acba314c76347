"""Who takes up what: an app its keys and its secret, the ports their certificates, the admin port its token, each sink what
it has."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

from router.admin.server import AdminServer
from router.ingress.long_connection.app import CredentialsError
from router.ingress.long_connection.client import LongConnections
from router.ingress.tls import TlsError, fresh_context
from router.ingress.webhook import WebhookServer
from router.rotation.parts import ADMIN, TLS, WS
from router.rotation.rotation import KeptError, Taker
from router.settings.model import AdminSettings, AppSettings, Settings, TlsSettings, WsSettings
from router.settings.names import app_prefix, sink_prefix
from router.subscribers.server import SubscriberServer
from sinks.probe import probe
from sinks.settings import SinkSettings

OPEN_SECONDS = 15.0
Replace = Callable[[str, SinkSettings], Awaitable[None]]
"""Ends the sink of that name in good order and goes on with one of these settings."""


class Roads(NamedTuple):
    """The two roads in, and the port that programs connect to, where there is one."""

    webhook: WebhookServer
    long_connections: LongConnections
    subscribers: SubscriberServer | None = None


def takers(settings: Settings, roads: Roads, admin: AdminServer | None, replace: Replace) -> dict[str, Taker]:
    """A taker for each part that may hold credentials, by the prefix of its variables."""
    made: dict[str, Taker] = {app_prefix(name): partial(_app, roads, name) for name in settings.apps}
    made |= {sink_prefix(name): partial(_sink, replace, name) for name in settings.sinks}
    if settings.tls.cert_file is not None:
        made[TLS] = partial(_certificate, roads.webhook)
    if roads.subscribers is not None and settings.ws.tls.cert_file is not None:
        made[WS] = partial(_programs, roads.subscribers)
    if admin is not None:
        made[ADMIN] = partial(_token, admin)
    return made


async def _app(roads: Roads, name: str, app: AppSettings) -> None:
    try:
        await roads.long_connections.use(name, app)
    except CredentialsError as error:
        raise KeptError(f"no connection came up with it: {error}") from error
    roads.webhook.use_keys(name, app)


async def _certificate(server: WebhookServer | SubscriberServer, tls: TlsSettings) -> None:
    try:
        context = await asyncio.to_thread(fresh_context, tls)
    except TlsError as error:
        raise KeptError(str(error)) from error
    server.use_certificate(context)


async def _programs(subscribers: SubscriberServer, settings: WsSettings) -> None:
    await _certificate(subscribers, settings.tls)


async def _token(admin: AdminServer, settings: AdminSettings) -> None:
    admin.use_token(settings.token.get_secret_value() if settings.token else None)


async def _sink(replace: Replace, name: str, settings: SinkSettings) -> None:
    """Only what opens is given to the lane: with a wrong password or half a pair of certificate and key the old goes on."""
    tried = await probe(name, settings, OPEN_SECONDS)
    if not tried.ok:
        raise KeptError(f"the sink {name} can't be opened with it: {tried.detail}")
    await replace(name, settings)
