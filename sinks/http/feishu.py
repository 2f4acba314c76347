"""Format feishu: events as Feishu would push them, so that a program written with one of its SDKs takes them unchanged."""

from typing import TYPE_CHECKING

import orjson
from pydantic import SecretStr

from router.envelope import Envelope
from router.feishu import push
from router.feishu.rebuild import to_push
from sinks.contract import SinkNotReadyError
from sinks.http.encode import Encoded
from sinks.http.failures import CAUGHT, failure
from sinks.http.settings import HttpSettings
from sinks.http.values import shown_url

if TYPE_CHECKING:
    from sinks.http.client import Client

CHALLENGE_SECONDS = 1.0
"""Feishu's own limit for the answer to a challenge."""
_ADDRESS = "is that the URL where the receiver takes events?"
_CREDENTIALS = "are ENCRYPT_KEY and VERIFICATION_TOKEN the receiver's?"


def encode(envelope: Envelope, settings: HttpSettings, now: float) -> Encoded:
    """The push, with the receiver's own token; encrypted and freshly signed where it has a key. now: Unix seconds.

    Raises ValueError when the envelope can't be a push.
    """
    document = to_push(envelope, _plain(settings.verification_token))
    return Encoded(*push.build(document, _plain(settings.encrypt_key), now))


async def verify(client: "Client", settings: HttpSettings) -> None:
    """Send a challenge, as Feishu does when a URL is saved. Raises SinkNotReadyError unless its value comes back in time."""
    body, headers, value = push.challenge(_plain(settings.encrypt_key), _plain(settings.verification_token))
    where = f"challenge to {shown_url(settings.url.get_secret_value())}"
    try:
        status, answer = await client.ask(Encoded(body, headers), CHALLENGE_SECONDS)
    except TimeoutError:
        raise SinkNotReadyError(f"{where}: no answer within {CHALLENGE_SECONDS:g} s, Feishu's own limit") from None
    except CAUGHT as error:
        raise SinkNotReadyError(f"{where}: {failure(error).detail}; {_CREDENTIALS}") from None
    if status != 200:
        question = _ADDRESS if status in (404, 405) or 300 <= status < 400 else _CREDENTIALS
        raise SinkNotReadyError(f"{where}: answered {status} instead of 200; {question}")
    if not _echoes(answer, value):
        raise SinkNotReadyError(f"{where}: answered 200, but its value did not come back; {_CREDENTIALS}")


def _echoes(answer: bytes, value: str) -> bool:
    try:
        document = orjson.loads(answer)
    except ValueError:
        return False
    return isinstance(document, dict) and document.get("challenge") == value


def _plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
