"""What operators can see and do while the router runs. The admin API and the command line are two faces of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from router.dispatch.order import ReplayOrder
from router.ingress.long_connection.status import ConnectionRow
from router.journal.contract import DeadLetter, LetterFilter, LetterGroup, LetterKey
from router.subscribers.status import ProgramRow

__all__ = [
    "ConflictError",
    "ConnectionRow",
    "Count",
    "OperationError",
    "Operators",
    "ProgramRow",
    "ReplayOrder",
    "ReplayRow",
    "SinkRow",
    "Slice",
    "UnknownError",
]


class OperationError(Exception):
    """What was asked for can't be done; the text is for people and says what can."""


class UnknownError(OperationError):
    """There is no sink, dead letter or replay of that name or number."""


class ConflictError(OperationError):
    """It is there, but in a state that doesn't allow what was asked for."""


@dataclass(frozen=True, slots=True)
class SinkRow:
    """One sink: of the settings, or one that the journal still knows.

    state: opening, running, unavailable, paused, stopped, or absent (not in the settings any more); breaker: closed,
    open or half_open; reason: why it isn't running, for people; absent_ms: since when (Unix ms), 0 when it isn't;
    lag_seconds: age of the oldest unsettled event, 0.0 when there is none.
    """

    name: str
    type: str
    state: str
    breaker: str
    reason: str
    position: int
    lag_events: int
    lag_seconds: float
    parked: int
    dead_letters: int
    absent_ms: int = 0


class Slice(NamedTuple):
    """What one step of a long piece of work came to. `next` is where to go on; None: it is finished.

    done: letters given back or purged; skipped: letters that stay, each with the reason; wait_seconds: the caller should
    let the router catch up for so long before the next step.
    """

    done: int
    skipped: Sequence[tuple[int, str]]
    next: LetterKey | None
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """One replay. state: running, paused (its sink is), unavailable, or ended; first, last: positions of the journal that
    it goes through; position: everything up to here is settled; delivered: in this run of the router."""

    id: int
    order: ReplayOrder
    state: str
    first: int
    last: int
    position: int
    delivered: int
    parked: int


class Count(NamedTuple):
    """A dry run's step: events that would be sent, so far in this step; `next`: the position to go on from, None at the end."""

    events: int
    first_ms: int | None
    last_ms: int | None
    next: int | None
    end: int


class Operators(Protocol):
    """All methods run on the router's event loop and raise OperationError (or JournalError)."""

    async def sinks(self) -> Sequence[SinkRow]:
        """Those of the settings in their order, then absent ones by name."""

    async def connections(self) -> Sequence[ConnectionRow]:
        """The connections to Feishu of each app that has any."""

    async def programs(self) -> Sequence[ProgramRow]:
        """The programs that are connected to the router, the longest connected first."""

    async def pause(self, sink: str) -> None:
        """Deliver nothing more to it until `resume`, restarts included. What is under way is finished. Idempotent."""

    async def resume(self, sink: str) -> None:
        """End a pause. Idempotent."""

    async def forget(self, sink: str) -> None:
        """Drop the cursor of an absent sink and what is parked for it; dead letters stay. ConflictError otherwise."""

    async def letters(self, wanted: LetterFilter, limit: int, after: LetterKey | None) -> Sequence[DeadLetter]:
        """Dead letters in the order (lane, position, id)."""

    async def letter(self, number: int) -> DeadLetter:
        """One dead letter by its id."""

    async def count_letters(self, wanted: LetterFilter) -> Sequence[LetterGroup]:
        """How many, by sink, type and reason."""

    async def replay_letters(self, wanted: LetterFilter, limit: int, after: LetterKey | None) -> Slice:
        """Give the next dead letters back to their sinks: they are delivered as if for the first time, each subject in
        order with what is still in the lane. Those of the ingress are read anew with the present keys."""

    async def purge_letters(self, wanted: LetterFilter, limit: int, after: LetterKey | None) -> Slice:
        """Delete the next dead letters for good."""

    async def replay(self, order: ReplayOrder) -> ReplayRow:
        """Begin to send stored events again; survives restarts."""

    async def count_replay(self, order: ReplayOrder, after: int | None) -> Count:
        """One step of finding out how many events a replay would send."""

    async def replays(self) -> Sequence[ReplayRow]:
        """Those under way, and those that ended in this run of the router."""

    async def stop_replay(self, number: int) -> ReplayRow:
        """End a replay now; what was not sent is not sent."""
