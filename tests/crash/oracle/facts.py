"""What is known after a run, as the checks want it. Times are Unix seconds of this machine's real clock."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.crash.oracle.events import content
from tests.crash.oracle.plan import Fault, Plan


@dataclass(frozen=True, slots=True)
class Push:
    """One request of the model Feishu. kind: event, copy, forged, challenge, misshapen. status: None without an answer."""

    serial: int
    kind: str
    begun: float
    took: float
    status: int | None
    body: bytes


@dataclass(slots=True)
class Arrival:
    """One event at one end. order: place among all arrivals there; scope: file or topic (with its partition).

    at: None where nobody knows; accepted: the end took it; lost: it can't be known that the router learnt so;
    flaw: what is wrong with its content; replayed: it came by a replay of history.
    """

    serial: int
    order: int
    scope: str
    at: float | None
    accepted: bool = True
    status: int | None = None
    lost: bool = False
    flaw: str = ""
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Death:
    """The end of a router process that began at `since`.

    how: kill, drained, failed; busy: sinks that were not done at the drain's deadline; injected: the fault it ran under.
    """

    at: float
    how: str
    code: int
    busy: frozenset[str] = frozenset()
    since: float = 0.0
    injected: Fault | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: of which lane, of which event (None for a quarantined push), and its body."""

    lane: str
    serial: int | None
    position: int | None
    body: bytes


@dataclass(slots=True)
class Kept:
    """What is in the journal at the end. events: position → serial; unsettled: what lanes still had to do, in words."""

    events: dict[int, int] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Span:
    """Something that lasted. what: broker, disk, away (no router was ready), pause and the sink, or the receiver's mood."""

    begun: float
    ended: float
    what: str


@dataclass(slots=True)
class Facts:
    """Everything that the checks look at.

    stolen(a, b): seconds of that time by which echoes were late, all together; longest(a, b): the latest of them.
    """

    plan: Plan
    begun: float
    stolen: Callable[[float, float], float]
    longest: Callable[[float, float], float]
    pushes: list[Push] = field(default_factory=list)
    arrivals: dict[str, list[Arrival]] = field(default_factory=dict)
    deaths: list[Death] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    kept: Kept = field(default_factory=Kept)
    leaks: list[str] = field(default_factory=list)
    failures: Counter[int] = field(default_factory=Counter)
    """How often the HTTP receiver did not take an event."""
    died: set[tuple[str, str]] = field(default_factory=set)
    """(sink, event id) of all that the log says became dead letters, also if they were replayed since."""
    peak_rss: int = 0
    troubles: list[str] = field(default_factory=list)
    """What the harness itself saw go wrong: a router that didn't drain, or ended for no reason."""

    @property
    def answered(self) -> set[int]:
        """Serials of events answered 200."""
        return {push.serial for push in self.pushes if push.kind in ("event", "copy") and push.status == 200}

    @property
    def sent(self) -> set[int]:
        return {push.serial for push in self.pushes if push.kind in ("event", "copy")}

    def live(self, sink: str) -> list[Arrival]:
        """What came to the sink but for replays of history."""
        return [arrival for arrival in self.arrivals[sink] if not arrival.replayed]

    def positions(self) -> dict[int, int]:
        """Serial → stored position."""
        return {serial: position for position, serial in self.kept.events.items()}

    def dead(self, sink: str) -> set[int]:
        return {letter.serial for letter in self.kept.letters if letter.lane == sink and letter.serial is not None}


def flaw_in(plan: Plan, serial: int, data: Any, attributes: dict[str, Any] | None = None) -> str:
    """What is wrong with an event as it arrived; "" when it is what was pushed. attributes: where the format has them."""
    event = plan.event(serial)
    if data != content(event):
        return f"event {serial}: its data is not what was pushed"
    wanted = {"id": event.id, "type": event.type, "source": event.source}
    if event.subject:
        wanted["subject"] = event.subject
    for name, value in wanted.items():
        if attributes is not None and attributes.get(name) != value:
            return f"event {serial}: {name} is {attributes.get(name)!r}, pushed as {value!r}"
    return ""
