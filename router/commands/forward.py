"""Events on to a program on this machine, as Feishu would push them; the HTTP sink does it, and judges the answers."""

import asyncio
import re
import time
from typing import NamedTuple

import click
from pydantic import ValidationError

from router.envelope import Envelope
from sinks import registry
from sinks.contract import DELIVERED, Outcome, Retry, Sink, SinkNotReadyError, Unavailable

EMPTY = "without a body"
WHY_EMPTY = (
    f"{EMPTY}: Node's SDK answers so when the Encrypt Key is not the program's, and its handler did not run; "
    "or when the handler returned nothing"
)


class Target(NamedTuple):
    """Where to, with whose key and token ("" for none), and how long the answer may take."""

    url: str
    encrypt_key: str
    token: str
    seconds: float

    def __repr__(self) -> str:
        return "Target()"


class Pushed(NamedTuple):
    """What became of an event. remark: what to know of the answer, mostly nothing."""

    outcome: Outcome
    milliseconds: float
    remark: str = ""


class Forward:
    """One program. It may come and go: each event is tried, whatever became of the one before."""

    def __init__(self, target: Target) -> None:
        """Raises click.UsageError for an address, a key or a token that can't be used."""
        if re.match(r"[^:/?#]*://[^/?#]*@", target.url):
            raise click.UsageError("--forward: no user or password in the URL: Feishu pushes with neither")
        found = registry.find("http")
        given = {
            "type": "http",
            "format": "feishu",
            "url": target.url,
            "encrypt_key": target.encrypt_key or None,
            "verification_token": target.token or None,
            "timeout_seconds": target.seconds,
            "empty_answer": "unavailable" if target.encrypt_key else "delivered",  # so that it is told from others
        }
        try:
            self._sink: Sink = found.build("forward", found.settings.model_validate(given))
        except ValidationError as error:
            raise click.UsageError(_words(error)) from None
        self._seconds = target.seconds
        self._explained = False
        self._opened = False
        self._opening = asyncio.Lock()

    async def push(self, envelope: Envelope) -> Pushed:
        """Push it once."""
        started = time.monotonic()
        outcome = await self._push(envelope)
        milliseconds = (time.monotonic() - started) * 1000
        if isinstance(outcome, Unavailable) and outcome.reason == "empty_answer":
            return Pushed(DELIVERED, milliseconds, self._empty())
        return Pushed(self._by_option(outcome), milliseconds)

    def _empty(self) -> str:
        """Of a 200 without a body. Why is told once: where handlers return nothing, every answer is one."""
        explained, self._explained = self._explained, True
        return EMPTY if explained else WHY_EMPTY

    def _by_option(self, outcome: Outcome) -> Outcome:
        """The time limits by the names that they have here, not by those of the sink's settings."""
        match outcome:
            case Retry("timeout"):
                return Retry("timeout", f"no answer within --timeout ({self._seconds:g} s)")
            case Unavailable("connect_timeout"):
                return Unavailable("connect_timeout", "no connection within 2 s")
        return outcome

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
