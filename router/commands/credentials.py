"""Where `listen` connects, and as whom: by a sink of the settings, or by options and the environment."""

import os
from pathlib import Path
from typing import Any

import click
from pydantic import SecretStr, ValidationError

from router.commands import environ_of
from router.commands.where import LOOPBACK
from router.settings import Settings, load
from router.settings.address import parse_address
from router.settings.faults import did_you_mean
from router.settings.files import ValueFileError, read_value
from router.settings.model import PROGRAMS, AppSettings

SECRET, KEY, TOKEN = "FEISHU_APP_SECRET", "FEISHU_ENCRYPT_KEY", "FEISHU_VERIFICATION_TOKEN"


def source_of(
    ctx: click.Context, sink: str | None, domain: str | None, app_id: str | None, secret_file: Path | None
) -> AppSettings:
    """An app whose events come by long connection from a router. Raises click.UsageError, SettingsError."""
    if app_id is None:
        if secret_file is not None:
            raise click.UsageError("--app-secret-file needs --app-id; a sink of the settings has its secret there")
        settings = load(environ_of(ctx))
        own = _chosen(settings, sink)
        return _app(domain or _own_domain(settings), own.app_id, own.app_secret[0].get_secret_value())
    if sink is not None:
        raise click.UsageError("--sink and --app-id exclude each other: the sink has its own app id")
    if domain is None:
        raise click.UsageError(
            "--app-id needs --domain: the address where the router listens, http://router.example:8090"
        )
    secret = secret_of(secret_file, SECRET)
    if not secret:
        raise click.UsageError(f"the app's secret is missing: set {SECRET}, or name its file with --app-secret-file")
    return _app(domain, app_id, secret)


def secret_of(file: Path | None, variable: str) -> str:
    """A secret from a file, else from the environment; "" when there is none. Raises click.UsageError."""
    if file is None:
        return os.environ.get(variable, "").strip()
    try:
        return read_value(str(file)).strip()
    except ValueFileError as error:
        raise click.UsageError(str(error)) from None


def _chosen(settings: Settings, name: str | None) -> Any:
    """The sink of that name; without one, the only one of its type."""
    fitting = {other: sink for other, sink in settings.sinks.items() if sink.type == PROGRAMS}
    there = f"there are: {', '.join(fitting)}" if fitting else f"the settings have no sink of type {PROGRAMS}"
    if name is None and len(fitting) == 1:
        return next(iter(fitting.values()))
    if name is None:
        raise click.UsageError(f"say with --sink which one, or --domain and --app-id; {there}")
    if name not in fitting:
        known = name in settings.sinks
        problem = f"the sink {name} is not of type {PROGRAMS}" if known else f"there is no sink {name!r}"
        raise click.UsageError(f"{problem}; {did_you_mean(name, fitting) or there}")
    return fitting[name]


def _own_domain(settings: Settings) -> str:
    """Where programs on other machines reach the router when it is set, else the port on this machine."""
    address = parse_address(settings.ws.listen)
    return settings.ws.domain(str(address._replace(host=LOOPBACK.get(address.host, address.host))))


def _app(domain: str, app_id: str, secret: str) -> AppSettings:
    try:
        return AppSettings(mode="long_connection", domain=domain, app_id=app_id, app_secret=SecretStr(secret))
    except ValidationError as error:
        words = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise click.UsageError(f"--domain {words}") from None
