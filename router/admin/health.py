"""What the admin port asks the router about itself."""

from typing import NamedTuple, Protocol


class Condition(NamedTuple):
    """How the router is. Each field is the reason why not, a short text, or None when all is well."""

    dead: str | None = None
    """It must be started afresh: the journal failed."""
    unready: str | None = None
    """It can't take pushes now: not listening yet, draining, journal or disk full. Never because of a sink."""


class Health(Protocol):
    """Asked on each probe, on the event loop; must not wait for anything."""

    def __call__(self) -> Condition:
        """The router's condition now."""
