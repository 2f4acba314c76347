"""Events on to a program on this machine, as Feishu would push them; the HTTP sink does it, and judges the answers."""

import asyncio
import time
from typing import NamedTuple

import click
from pydantic import ValidationError

from router.envelope import Envelope
from sinks import registry
from sinks.contract import Outcome, Sink, SinkNotReadyError, Unavailable


class Target(NamedTuple):
    """Where to, with whose key and token ("" for none), and how long the answer may take."""

    url: str
    encrypt_key: str
    token: str
    seconds: float

    def __repr__(self) -> str:
        return "Target()"


class Forward:
    """One program. It may come and go: each event is tried, whatever became of the one before."""

    def __init__(self, target: Target) -> None:
        """Raises click.UsageError for an address, a key or a token that can't be used."""
        found = registry.find("http")
        given = {
            "type": "http",
            "format": "feishu",
            "url": target.url,
            "encrypt_key": target.encrypt_key or None,
            "verification_token": target.token or None,
            "timeout_seconds": target.seconds,
        }
        try:
            self._sink: Sink = found.build("forward", found.settings.model_validate(given))
        except ValidationError as error:
            raise click.UsageError(_words(error)) from None
        self._opened = False
        self._opening = asyncio.Lock()

    async def push(self, envelope: Envelope) -> tuple[Outcome, float]:
        """What became of it, and how many milliseconds it took."""
        started = time.monotonic()
        outcome = await self._push(envelope)
        return outcome, (time.monotonic() - started) * 1000

    async def close(self) -> None:
        """Close its connections."""
        await self._sink.close()

    async def _push(self, envelope: Envelope) -> Outcome:
        async with self._opening:
            try:
                if not self._opened:
                    await self._sink.open()
                self._opened = True
            except SinkNotReadyError as error:
                return Unavailable("not_ready", str(error))
        (outcome,) = await self._sink.deliver([envelope])
        return outcome


_OPTIONS = {
    "url": "--forward",
    "encrypt_key": "--encrypt-key-file",
    "verification_token": "--token-file",
    "timeout_seconds": "--timeout",
}


def _words(error: ValidationError) -> str:
    """The first fault, with the option that it is about."""
    details = error.errors(include_url=False, include_input=False)[0]
    option = _OPTIONS.get(str(details["loc"][0]), "--forward") if details["loc"] else "--forward"
    return f"{option}: {details['msg'].removeprefix('Value error, ')}"
