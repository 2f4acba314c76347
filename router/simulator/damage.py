"""The faults of an event on its way over a long connection."""

import random
from collections.abc import Callable

from router.simulator.connection import TEXT, Connection

SLOW_SECONDS = 1.0
SILENT_SECONDS = 180.0
"""How long a connection is kept that nobody reads any more."""
TEXT_SHARE = 0.2

_rng = random.Random(0)  # noqa: S311 - only what garbage looks like


def damage(connection: Connection, fault: str, message_id: str, body: bytes) -> None:
    """Send the event as the fault will have it."""
    split = fault.startswith("split")
    (_split if split else _DAMAGES[fault])(connection, fault, message_id, body)


def _split(connection: Connection, fault: str, message_id: str, body: bytes) -> None:
    for part in connection.messages.parts(message_id, body, fault):
        connection.write(part)


def _half(connection: Connection, _fault: str, message_id: str, body: bytes) -> None:
    connection.write_half(connection.messages.event(message_id, body))


def _slowly(connection: Connection, _fault: str, message_id: str, body: bytes) -> None:
    connection.write_slowly(connection.messages.event(message_id, body), SLOW_SECONDS)


def _card(connection: Connection, _fault: str, message_id: str, body: bytes) -> None:
    connection.write(connection.messages.card(message_id, body))


def _garbage(connection: Connection, _fault: str, message_id: str, body: bytes) -> None:
    if _rng.random() < TEXT_SHARE:
        connection.write(b"hello", TEXT)
    else:
        connection.write(connection.messages.garbage(body))
    connection.write(connection.messages.event(message_id, body))


def _twice(connection: Connection, _fault: str, message_id: str, body: bytes) -> None:
    for _ in range(2):
        connection.write(connection.messages.event(message_id, body))


_DAMAGES: dict[str, Callable[[Connection, str, str, bytes], None]] = {
    "drop-mid-frame": _half,
    "reset": lambda connection, *_: connection.reset(),
    "close": lambda connection, *_: connection.close(),
    "half-open": lambda connection, *_: connection.fall_silent(SILENT_SECONDS),
    "lost": lambda *_: None,
    "slow-frame": _slowly,
    "garbage": _garbage,
    "duplicate-frame": _twice,
    "card": _card,
}
