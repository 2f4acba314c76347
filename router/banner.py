"""What `run` tells a person when it has started."""

import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import click

from router.settings import Settings
from router.settings.address import parse_address
from router.settings.apps import LONG_CONNECTION
from sinks import registry


def banner(settings: Settings, webhook: Sequence[str], admin: Sequence[str], programs: Sequence[str] = ()) -> None:
    """Print it to standard output, unless that carries events or the logs were asked for as JSON, or can't be written."""
    if settings.log.format == "json" or any(sink.type == "stdout" for sink in settings.sinks.values()):
        return
    with suppress(OSError):
        for line in _lines(settings, webhook, admin, programs):
            click.echo(line)


def _lines(settings: Settings, webhook: Sequence[str], admin: Sequence[str], programs: Sequence[str]) -> Iterator[str]:
    yield click.style("Feishu Event Router is running.", bold=True)
    scheme = "https" if settings.tls.cert_file else "http"
    for address in webhook:
        for name, app in settings.apps.items():
            if app.has_webhook:
                yield f"  webhook  {scheme}://{address}/webhook/event{'/' + name if name else ''}"
    for name, app in settings.apps.items():
        if app.mode == LONG_CONNECTION:
            count = "a connection" if app.connections == 1 else f"{app.connections} connections"
            yield f"  app      {name or app.app_id}: {count} to {app.domain}"
    for address in admin:
        yield f"  admin    http://{address}/  (health, metrics, API)"
    for domain in _domains(settings, programs):
        yield f"  programs {domain}  (what to give to Feishu's SDKs as the domain)"
    yield f"  journal  {settings.journal_file}"
    yield from _sinks(settings)
    yield from _keys(settings)
    if any(app.has_webhook for app in settings.apps.values()):
        yield "Try it, in a second terminal: " + click.style(".venv/bin/feishu-event-router send", bold=True)
    yield "Ctrl-C ends it."


def _domains(settings: Settings, addresses: Sequence[str]) -> Iterable[str]:
    """Each once; with this machine's name where the port is on every interface, since nobody can connect to 0.0.0.0."""
    if parse_address(settings.ws.listen).everywhere:
        addresses = [f"{socket.gethostname()}:{parse_address(address).port}" for address in addresses]
    return dict.fromkeys(settings.ws.domain(address) for address in addresses)


def _sinks(settings: Settings) -> Iterator[str]:
    for name, sink in settings.sinks.items():
        wanted = "" if sink.events == ["*"] else f"  (events: {','.join(sink.events)})"
        yield f"  sink     {name}: {sink.type} → {registry.find(sink.type).describe(sink)}{wanted}"
        for remark in registry.find(sink.type).remarks(sink):
            yield f"           Note: {remark}"
    if not settings.sinks:
        yield "  sink     none: events are only stored"


def _keys(settings: Settings) -> Iterator[str]:
    bare = [name for name, app in settings.apps.items() if app.open_to_all]
    if bare:
        whose = " for " + ", ".join(bare) if any(bare) else ""
        yield f"It has no keys{whose}, so anyone on this machine may push, and it listens on loopback only."
        yield "Before Feishu can reach it, set FER_APP__ENCRYPT_KEY and FER_APP__VERIFICATION_TOKEN, then FER_LISTEN."
