"""What stands behind the addresses that were given out: each is good for one connection, and not for long."""

import secrets
from typing import Generic, TypeVar

TICKET_SECONDS = 60.0
MAX_TICKETS = 10_000
HolderT = TypeVar("HolderT")


class Tickets(Generic[HolderT]):
    """Where there are too many, the oldest go."""

    def __init__(self) -> None:
        self._issued: dict[str, tuple[HolderT, float]] = {}

    def issue(self, holder: HolderT, now: float) -> str:
        """A new one. now: monotonic seconds."""
        while self._issued and (len(self._issued) >= MAX_TICKETS or self._oldest() < now):
            del self._issued[next(iter(self._issued))]
        ticket = secrets.token_urlsafe(24)
        self._issued[ticket] = (holder, now + TICKET_SECONDS)
        return ticket

    def redeem(self, ticket: str, now: float) -> HolderT | None:
        """Whose it is; None when it was never given out, was used, or is too old."""
        holder, until = self._issued.pop(ticket, (None, 0.0))
        return holder if now <= until else None

    def _oldest(self) -> float:
        return next(iter(self._issued.values()))[1]
