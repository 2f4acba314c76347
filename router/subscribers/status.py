"""What an operator can see of a connected program."""

from typing import NamedTuple


class ProgramRow(NamedTuple):
    """One program that is connected to the router.

    id: our name for the connection; client: its address; agent: what it calls itself; unanswered: events given to it that it
    has not acknowledged yet; acknowledged: those that it has, with 200; since_ms: Unix ms.
    """

    sink: str
    id: str
    client: str
    agent: str
    since_ms: int
    unanswered: int
    acknowledged: int
