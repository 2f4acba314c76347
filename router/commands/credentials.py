"""Where `listen` connects, and as whom."""

import os
from pathlib import Path

import click
from pydantic import SecretStr, ValidationError

from router.settings.files import ValueFileError, read_value
from router.settings.model import AppSettings

SECRET, KEY, TOKEN = "FEISHU_APP_SECRET", "FEISHU_ENCRYPT_KEY", "FEISHU_VERIFICATION_TOKEN"


def source_of(domain: str, app_id: str, secret_file: Path | None) -> AppSettings:
    """An app whose events come by long connection from a router. Raises click.UsageError."""
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


def _app(domain: str, app_id: str, secret: str) -> AppSettings:
    try:
        return AppSettings(mode="long_connection", domain=domain, app_id=app_id, app_secret=SecretStr(secret))
    except ValidationError as error:
        words = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise click.UsageError(f"--domain {words}") from None
