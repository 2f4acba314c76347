"""One event of one lane, from reading to its end."""

from router.envelope import Envelope
from router.journal.contract import Parked


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


def order_key(ordering: str, scope: str, envelope: Envelope) -> str | None:
    """Events with the same key keep their order; None keeps none.

    The scope is part of the key: order can be seen only within a topic or host, and one that is unavailable must not
    hold back a subject's events elsewhere.
    """
    if ordering == "none":
        return None
    name = envelope.partitionkey if ordering == "key" else envelope.source
    return f"{scope}\n{name}" if scope else name
