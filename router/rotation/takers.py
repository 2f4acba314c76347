"""Who takes up what: the webhook its keys and its certificate, the admin port its token, each sink its credentials."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from router.admin.server import AdminServer
from router.ingress.tls import TlsError, fresh_context
from router.ingress.webhook import WebhookServer
from router.rotation.parts import ADMIN, TLS
from router.rotation.rotation import KeptError, Taker
from router.settings.model import AdminSettings, AppSettings, Settings, TlsSettings
from router.settings.names import app_prefix, sink_prefix
from sinks.probe import probe
from sinks.settings import SinkSettings

OPEN_SECONDS = 15.0
Replace = Callable[[str, SinkSettings], Awaitable[None]]
"""Ends the sink of that name in good order and goes on with one of these settings."""


def takers(settings: Settings, webhook: WebhookServer, admin: AdminServer | None, replace: Replace) -> dict[str, Taker]:
    """A taker for each part that may hold credentials, by the prefix of its variables."""
    made: dict[str, Taker] = {app_prefix(name): partial(_keys, webhook, name) for name in settings.apps}
    made |= {sink_prefix(name): partial(_sink, replace, name) for name in settings.sinks}
    if settings.tls.cert_file is not None:
        made[TLS] = partial(_certificate, webhook)
    if admin is not None:
        made[ADMIN] = partial(_token, admin)
    return made


async def _keys(webhook: WebhookServer, name: str, app: AppSettings) -> None:
    webhook.use_keys(name, app)


async def _certificate(webhook: WebhookServer, tls: TlsSettings) -> None:
    try:
        context = await asyncio.to_thread(fresh_context, tls)
    except TlsError as error:
        raise KeptError(str(error)) from error
    webhook.use_certificate(context)


async def _token(admin: AdminServer, settings: AdminSettings) -> None:
    admin.use_token(settings.token.get_secret_value() if settings.token else None)


async def _sink(replace: Replace, name: str, settings: SinkSettings) -> None:
    """Only what opens is given to the lane: with a wrong password or half a pair of certificate and key the old goes on."""
    tried = await probe(name, settings, OPEN_SECONDS)
    if not tried.ok:
        raise KeptError(f"the sink {name} can't be opened with it: {tried.detail}")
    await replace(name, settings)
