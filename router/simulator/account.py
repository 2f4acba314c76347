"""The account: each event's attempts and answers, and what they come to."""

import asyncio
import random
from collections import Counter, deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from router.simulator.pushes import Push

OK = "200"
LATE = "no answer in time"
KEEP = 200_000
"""So many events are remembered one by one; totals are exact in any case."""
TIMES = 100_000


class State(Enum):
    """WAITING: under way, or for its turn or its next attempt. LOST: Feishu has given up."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    LOST = "lost"


class Attempt(NamedTuple):
    """One sending of an event. answer: the status or the code, or words when there was none."""

    road: str
    answer: str
    milliseconds: float
    fault: str = ""
    copy: bool = False

    @property
    def late(self) -> bool:
        """Whether the receiver took too long, and not because of what we did to it."""
        return self.answer == LATE and not self.fault


class Record:
    """What became of one event. push: None when it has ended and needs no copy."""

    __slots__ = ("app", "attempts", "ended", "id", "push", "queue", "road", "state", "tries", "type")

    def __init__(self, push: Push, app: str, road: str, queue: str = "") -> None:
        self.id, self.type = push.id, push.type
        self.push: Push | None = push
        self.app = app
        self.road = road
        self.queue = queue
        self.state = State.WAITING
        self.tries = 0
        self.attempts: list[Attempt] = []
        self.ended: asyncio.Event | None = None

    @property
    def failing(self) -> bool:
        """Whether it waits since its last attempt failed, and not because of what we did to it."""
        last = self.attempts[-1] if self.attempts else None
        return self.state is State.WAITING and last is not None and last.answer != OK and not last.fault

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "id": self.id,
            "type": self.type,
            "app": self.app,
            "state": self.state.value,
            "attempts": [attempt._asdict() for attempt in self.attempts],
        }


@dataclass
class Report:
    """Totals. failing: records that are; answers: by road and answer; faults: how often each struck; milliseconds: of
    answers in time."""

    events: int = 0
    accepted: int = 0
    lost: int = 0
    waiting: int = 0
    failing: int = 0
    attempts: int = 0
    copies: int = 0
    late: int = 0
    answers: dict[str, dict[str, int]] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0

    @property
    def good(self) -> bool:
        """Whether nothing was lost, answered late or last answered otherwise than it should be."""
        return not (self.lost or self.late or self.failing)


class Account:
    """Takes note of everything. Bounded: so many events that ended well, and so many lost ones, are kept one by one."""

    def __init__(self, keep: int = KEEP) -> None:
        self.records: dict[str, Record] = {}
        self.waiting = 0
        self._keep = keep
        self._ended: dict[State, deque[Record]] = {State.ACCEPTED: deque(), State.LOST: deque()}
        self._report = Report()
        self._answers: Counter[tuple[str, str]] = Counter()
        self._failing: set[Record] = set()
        self._times: list[float] = []
        self._rng = random.Random(0)  # noqa: S311 - a sample of times

    @property
    def ended(self) -> int:
        """How many events are accepted or lost."""
        return self._report.accepted + self._report.lost

    def start_over(self) -> None:
        """Count anew from here on; what is waiting goes on."""
        self._report = Report()
        self._answers.clear()
        self._times.clear()

    def begin(self, record: Record) -> None:
        """A new event."""
        self._report.events += 1
        self.waiting += 1
        self.records[record.id] = record

    def note(self, record: Record, attempt: Attempt) -> None:
        """One attempt is over."""
        record.attempts.append(attempt)
        report = self._report
        report.attempts += 1
        report.copies += attempt.copy
        report.late += attempt.late
        self._answers[attempt.road, attempt.answer] += 1
        if attempt.answer == OK:
            self._time(attempt.milliseconds)
        (self._failing.add if record.failing else self._failing.discard)(record)

    def end(self, record: Record, state: State) -> None:
        """The event is accepted or lost."""
        record.state = state
        self.waiting -= 1
        self._failing.discard(record)
        if state is State.ACCEPTED:
            self._report.accepted += 1
        else:
            self._report.lost += 1
        ended = self._ended[state]
        ended.append(record)
        if len(ended) > self._keep:
            oldest = ended.popleft()
            if self.records.get(oldest.id) is oldest:
                del self.records[oldest.id]

    def report(self, faults: Counter[str]) -> Report:
        """The totals up to now."""
        answers: dict[str, dict[str, int]] = {}
        for (road, answer), count in sorted(self._answers.items()):
            answers.setdefault(road, {})[answer] = count
        times = sorted(self._times) or [0.0]
        p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
        now = {"answers": answers, "faults": dict(faults), "waiting": self.waiting, "failing": len(self._failing)}
        made = Report(**vars(self._report) | now)
        made.p50_ms, made.p99_ms = round(p50, 2), round(p99, 2)
        return made

    def _time(self, milliseconds: float) -> None:
        self._report.max_ms = max(self._report.max_ms, round(milliseconds, 2))
        if len(self._times) < TIMES:
            self._times.append(milliseconds)
        elif (place := self._rng.randrange(self._report.attempts)) < TIMES:
            self._times[place] = milliseconds
