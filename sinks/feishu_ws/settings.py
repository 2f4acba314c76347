"""Settings of the long-connection sink."""

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from sinks.settings import Seconds, SinkSettings, parse_lines

SECRET_LENGTH = 16
_APP_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_EVERY_SDK = re.compile(r"cli_[0-9a-fA-F]{16}")
_MAKE_ID = "make one with: echo cli_$(openssl rand -hex 8)"
_MAKE_SECRET = "make one with: openssl rand -hex 16"  # noqa: S105 - a command


def _checked_id(value: str) -> str:
    if not _APP_ID.fullmatch(value):
        raise ValueError(f"must be up to 64 letters, digits, `_`, `-` and `.`; {_MAKE_ID}")
    return value


def _checked_secrets(value: list[SecretStr]) -> list[SecretStr]:
    if not value:
        raise ValueError(f"holds no secret; {_MAKE_SECRET}")
    for secret in value:
        if len(secret.get_secret_value()) < SECRET_LENGTH:
            raise ValueError(f"holds a secret of less than {SECRET_LENGTH} characters; {_MAKE_SECRET}")
    return value


AppSecrets = Annotated[list[SecretStr], BeforeValidator(parse_lines), AfterValidator(_checked_secrets)]


class FeishuWsSettings(SinkSettings):
    """Programs connect to `FER_WS__LISTEN` with this id and secret, as they would to Feishu; each event goes to one of them.

    The id and the secret are of your choice: they are not those of the app at Feishu.
    """

    app_id: Annotated[str, AfterValidator(_checked_id)] = Field(
        description="What the programs connect as. Every SDK takes `cli_` and 16 hex digits; Node's takes nothing else."
    )
    app_secret: AppSecrets = Field(
        description="Secret(s) that the programs connect with, of 16 characters at least, one a line, so that they rotate."
    )
    in_flight: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="Events given to one connection before it has acknowledged them. With more, a program whose SDK handles "
        "one at a time (Python's) acknowledges the others late.",
    )
    ack_seconds: Seconds = Field(
        default=3.0,
        gt=0,
        le=30,
        description="An event that is not acknowledged by then is pushed again. More than the slowest handler takes.",
    )
    max_connections: int = Field(
        default=50, ge=1, le=1000, description="Connections at most; more are told to come back later."
    )

    @property
    def plain_secrets(self) -> list[str]:
        """`app_secret` as it is."""
        return [secret.get_secret_value() for secret in self.app_secret]


def describe(settings: FeishuWsSettings) -> str:
    """One line for people, without secrets."""
    return f"programs that connect as {settings.app_id}"


def remarks(settings: FeishuWsSettings) -> Sequence[str]:
    """What is worth saying before a program connects in vain."""
    if _EVERY_SDK.fullmatch(settings.app_id):
        return []
    problem = (
        f"APP_ID {settings.app_id} is not `cli_` and 16 hex digits: Node's SDK never connects with it, and says nothing"
    )
    return [f"{problem}; {_MAKE_ID}"]
