"""What goes wrong on Feishu's side, on demand or for a share of all cases."""

import random
from collections import Counter
from enum import Enum


class Moment(Enum):
    """When a fault can strike."""

    DISCOVERY = "when a client asks for an address"
    HANDSHAKE = "when it opens the websocket"
    PONG = "when it pings"
    FRAME = "when an event is sent over a long connection"
    PUSH = "when an event is pushed to a webhook"


FAULTS: dict[str, tuple[Moment, str]] = {
    "http-403": (Moment.DISCOVERY, "HTTP 403"),
    "http-500": (Moment.DISCOVERY, "HTTP 500"),
    "http-503": (Moment.DISCOVERY, "HTTP 503"),
    "no-json": (Moment.DISCOVERY, "HTTP 200 with a page of HTML"),
    "no-answer": (Moment.DISCOVERY, "no answer at all"),
    "code-1": (Moment.DISCOVERY, "system busy"),
    "code-403": (Moment.DISCOVERY, "forbidden"),
    "code-514": (Moment.DISCOVERY, "wrong id or secret"),
    "code-1000040343": (Moment.DISCOVERY, "internal error"),
    "code-1000040344": (Moment.DISCOVERY, "no credential"),
    "code-1000040350": (Moment.DISCOVERY, "too many connections"),
    "code-9999": (Moment.DISCOVERY, "a code that nobody knows"),
    "no-url": (Moment.DISCOVERY, "code 0 and an empty URL"),
    "no-config": (Moment.DISCOVERY, "an address without a client configuration"),
    "handshake-403": (Moment.HANDSHAKE, "HTTP 403 and nothing else"),
    "handshake-500": (Moment.HANDSHAKE, "HTTP 500"),
    "handshake-503": (Moment.HANDSHAKE, "HTTP 503"),
    "handshake-forbidden": (Moment.HANDSHAKE, "Handshake-Status 403"),
    "handshake-auth": (Moment.HANDSHAKE, "Handshake-Status 514"),
    "handshake-too-many": (Moment.HANDSHAKE, "Handshake-Status 514 with 1000040350"),
    "no-pong": (Moment.PONG, "the ping is not answered"),
    "late-pong": (Moment.PONG, "the ping is answered when the next is due"),
    "config": (Moment.PONG, "the pong carries another configuration"),
    "broken-config": (Moment.PONG, "the pong carries a configuration that makes no sense"),
    "drop-mid-frame": (Moment.FRAME, "the connection ends within the frame"),
    "reset": (Moment.FRAME, "the connection is reset instead"),
    "close": (Moment.FRAME, "the websocket is closed in good order instead"),
    "half-open": (Moment.FRAME, "the connection falls silent for ever, and stays open"),
    "lost": (Moment.FRAME, "the frame never leaves"),
    "slow-frame": (Moment.FRAME, "the frame comes in small pieces"),
    "garbage": (Moment.FRAME, "something that is no event comes first"),
    "duplicate-frame": (Moment.FRAME, "the frame comes twice"),
    "card": (Moment.FRAME, "the frame's type is card"),
    "split": (Moment.FRAME, "the event comes in parts"),
    "split-reordered": (Moment.FRAME, "in parts, out of order"),
    "split-repeated": (Moment.FRAME, "in parts, one of them twice"),
    "split-empty": (Moment.FRAME, "in parts, one of them empty"),
    "split-lost": (Moment.FRAME, "in parts, one of which never comes"),
    "cut": (Moment.PUSH, "the connection ends within the request"),
    "slow-sender": (Moment.PUSH, "the request comes in small pieces"),
    "at-once": (Moment.PUSH, "two copies come at the same time"),
}


class UnknownFaultError(ValueError):
    """A name that is no fault's."""


class Faults:
    """Decides which fault strikes. What was ordered comes first, then chance."""

    def __init__(self, seed: int = 0) -> None:
        self.struck: Counter[str] = Counter()
        self._rng = random.Random(f"faults {seed}")  # noqa: S311 - to be repeatable
        self._shares: dict[Moment, dict[str, float]] = {moment: {} for moment in Moment}
        self._ordered: dict[Moment, list[str]] = {moment: [] for moment in Moment}

    def share(self, name: str, share: float) -> None:
        """From now on it strikes in this share of all cases (0 to 1). Raises UnknownFaultError."""
        shares = self._shares[moment_of(name)]
        shares.pop(name, None)
        if share > 0:
            shares[name] = share

    def order(self, name: str, times: int = 1) -> None:
        """It strikes the next `times` times. Raises UnknownFaultError."""
        self._ordered[moment_of(name)] += [name] * times

    def heal(self) -> None:
        """From now on nothing goes wrong."""
        for moment in Moment:
            self._shares[moment].clear()
            self._ordered[moment].clear()

    def at(self, moment: Moment) -> str:
        """The fault that strikes now; "": none."""
        ordered, shares = self._ordered[moment], self._shares[moment]
        name = ordered.pop(0) if ordered else self._chosen(shares) if shares else ""
        if name:
            self.struck[name] += 1
        return name

    def _chosen(self, shares: dict[str, float]) -> str:
        dice = self._rng.random()
        for name, share in shares.items():
            dice -= share
            if dice < 0:
                return name
        return ""


def moment_of(name: str) -> Moment:
    """When a fault strikes. Raises UnknownFaultError."""
    if name not in FAULTS:
        raise UnknownFaultError(f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
    return FAULTS[name][0]
