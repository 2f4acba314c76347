"""One event of one lane, from reading to its end."""

from router.envelope import Envelope
from router.journal.contract import Parked
from sinks.contract import order_key


class Entry:
    """An envelope with its place, its order key, and what is known of earlier tries (`parked`)."""

    __slots__ = ("alone", "envelope", "key", "parked", "position", "scope", "size")

    def __init__(
        self, position: int, envelope: Envelope, key: str | None, scope: str, parked: Parked | None = None
    ) -> None:
        self.position = position
        self.envelope = envelope
        self.key = key
        self.scope = scope
        self.parked = parked
        self.size = len(envelope.json)
        self.alone = False


def scoped_key(ordering: str, scope: str, envelope: Envelope) -> str | None:
    """The order key within its scope; None when no order is asked for.

    The scope is part of it: order can be seen only within a topic or host, and one that is unavailable must not hold
    back a subject's events elsewhere.
    """
    key = order_key(ordering, envelope)
    return f"{scope}\n{key}" if scope and key is not None else key
