"""What a sink is: three methods, a few declared facts, and exactly four outcomes.

Waiting, retrying, ordering, measuring and logging belong to the lane that drives the sink; a sink has no such code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from router.envelope import Envelope
from sinks.settings import SinkSettings


@dataclass(frozen=True, slots=True)
class Delivered:
    """The target has it, durably as far as the target can say so."""


@dataclass(frozen=True, slots=True)
class Retry:
    """This event failed and may succeed later; other events are not concerned.

    reason: a short word for metrics ("http_500", "timeout"); detail: for people, without secrets;
    after: seconds the target asked us to wait (Retry-After), if it did.
    """

    reason: str
    detail: str = ""
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """The target will never take this event: it becomes a dead letter now."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The sink, or one scope of it, takes nothing now: the lane holds, probes and loses nothing.

    scope: "" means the whole sink; otherwise one of the names that `Sink.scope` gives.
    """

    reason: str
    detail: str = ""
    after: float | None = None
    scope: str = ""


Outcome = Delivered | Retry | Rejected | Unavailable
DELIVERED = Delivered()


class SinkNotReadyError(Exception):
    """Raised by `open()`: the target can't be reached yet. The text is for people and holds no secret."""


class Sink(Protocol):
    """Where envelopes go. One object per configured sink, used from one event loop.

    max_events, max_bytes: what one `deliver()` may hold (an event larger than max_bytes still comes, alone).
    concurrency: how many `deliver()` may run at once.
    keeps_order: True: within a batch, once an event of an order key fails, its followers of the same key come back as
    Retry("follows"), not attempted. False: the lane gives it one unsettled event per order key at a time.
    """

    max_events: int
    max_bytes: int
    keeps_order: bool

    @property
    def concurrency(self) -> int:
        """A plain attribute will do, where it stays the same: with keeps_order it must, since the lane looks only once."""

    async def open(self) -> None:
        """Connect. Raising SinkNotReadyError (or anything else) means "not now": the lane calls open() again later."""

    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        """Send the batch; one outcome per envelope, in order. May be cancelled. An exception counts as a bug."""

    async def close(self) -> None:
        """Give everything back. Idempotent, also after a failed or missing open()."""

    def scope(self, envelope: Envelope) -> str:
        """Which part of the sink the envelope needs (a topic, a host); "" when it has no parts. Cheap and pure."""


SettingsT = TypeVar("SettingsT", bound=SinkSettings)


@dataclass(frozen=True, slots=True)
class SinkType(Generic[SettingsT]):
    """What an entry point of group `event_router.sinks` names: a settings class and a constructor.

    build(name, settings) must do no I/O: that is what `open()` is for. describe(settings) says in one short line where
    the output goes, without secrets. remarks(settings) says what is allowed and probably not meant; mostly nothing.
    """

    settings: type[SettingsT]
    build: Callable[[str, SettingsT], Sink]
    describe: Callable[[SettingsT], str]
    remarks: Callable[[SettingsT], Sequence[str]] = lambda _settings: ()


AnySinkType = SinkType[Any]
FOLLOWS = Retry("follows", "an earlier event of the same subject failed in this batch")


def order_key(ordering: str, envelope: Envelope) -> str | None:
    """What the ORDERING setting keeps in order: events with the same key; None keeps none.

    A sink that keeps order does so by this key, within each of its scopes.
    """
    if ordering == "none":
        return None
    return envelope.partitionkey if ordering == "key" else envelope.source
