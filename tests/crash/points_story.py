"""What a journal is put through, drawn from a seed, and what it holds after each step of it. Pure.

Event n is the n-th that is appended, so it has to stand at position n. Each step has an index; the child that carries
the story out says it before (`+index`) and once the journal has called it durable (`-index`).
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

from router.envelope import Envelope
from router.journal.contract import INGRESS, DeadLetter, Parked, Settlement
from tests.doubles.envelopes import TYPE, make_envelope

LANES = ("swift", "slow", "guest")
KEYS = ("k0", "k1", "k2")
SCOPE = "topic"
CREATED_MS = 1_769_903_997_000


@dataclass(frozen=True)
class Append:
    number: int


@dataclass(frozen=True)
class Copy:
    """Of an event that was appended before, perhaps in the same burst."""

    number: int


@dataclass(frozen=True)
class Quarantine:
    number: int


@dataclass(frozen=True)
class Register:
    lane: str
    start: int


@dataclass(frozen=True)
class Forget:
    lane: str


@dataclass(frozen=True)
class Settle:
    lane: str
    settlement: Settlement


Step = Append | Copy | Quarantine | Register | Forget | Settle


@dataclass(frozen=True)
class Burst:
    """Steps taken at once. waits: until all is durable; reopens: and then the journal is closed and opened."""

    first: int
    steps: tuple[Step, ...]
    waits: bool = True
    reopens: bool = False


@dataclass(frozen=True)
class Cursor:
    """What a lane is: unknown (position None) or with its progress; its dead letters outlive it."""

    position: int | None = None
    settled: tuple[tuple[int, int], ...] = ()
    parked: tuple[Parked, ...] = ()
    dead: frozenset[int] = frozenset()

    def after(self, step: Register | Forget | Settle) -> "Cursor":
        if isinstance(step, Register):
            return self if self.position is not None else replace(self, position=step.start)
        if isinstance(step, Forget):
            return Cursor(dead=self.dead)
        said = step.settlement
        parked = {row.position: row for row in self.parked if row.position not in said.unparked}
        parked |= {row.position: row for row in said.parked}
        dead = self.dead | {letter.position for letter in said.dead if letter.position is not None}
        return Cursor(said.position, tuple(said.settled), tuple(parked[p] for p in sorted(parked)), dead)


@dataclass(frozen=True)
class Story:
    bursts: tuple[Burst, ...]

    def steps(self) -> Iterator[tuple[int, Step]]:
        for burst in self.bursts:
            yield from zip(count(burst.first), burst.steps, strict=False)

    def history(self, lane: str) -> list[tuple[int, Cursor]]:
        """The lane after each step that is about it; first of all it is unknown, at index -1."""
        found = [(-1, Cursor())]
        for index, step in self.steps():
            if isinstance(step, Register | Forget | Settle) and step.lane == lane:
                found.append((index, found[-1][1].after(step)))
        return found


def event(number: int) -> Envelope:
    """Event `number`: some fit many on a page, some need several; no two have a long stretch in common."""
    size = 60_000 if number % 37 == 0 else 20_000 if number % 11 == 0 else 200 + number * 7919 % 1500
    fill = (f"<{number}>" * size)[:size]
    made = make_envelope(number, subject=f"d{number % 5}", data={"number": number, "fill": fill})
    return made._replace(created_ms=0 if number % 13 == 0 else CREATED_MS + number)


def push(number: int) -> DeadLetter:
    """Quarantined push `number`."""
    body = b'{"push":%d,"fill":"%s"}' % (number, b"q" * (number * 997 % 3000))
    return DeadLetter(INGRESS, None, f"push-{number}", TYPE, None, body, "unreadable", "why", 0, 1, 2, 3)


def letter(lane: str, number: int) -> DeadLetter:
    """The event as that lane's dead letter."""
    made = event(number)
    return DeadLetter(lane, number, made.id, made.type, made.subject, made.json, "rejected", f"by {lane}", 3, 4, 5, 6)


def draw(seed: int, bursts: int) -> Story:
    """The same story for the same seed; a longer one begins with the shorter one."""
    return _Drawing(random.Random(seed)).story(bursts)


class _Drawing:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._bursts: list[Burst] = []
        self._index = self._appended = self._durable = self._pushes = 0
        self._lanes = dict.fromkeys(LANES, Cursor())

    def story(self, bursts: int) -> Story:
        self._add([self._lane_step(Register(lane, 0)) for lane in LANES])
        while len(self._bursts) < bursts:
            self._one()
        return Story(tuple(self._bursts[:bursts]))

    def _one(self) -> None:
        rng, steps = self._rng, list[Step]()
        for _ in range(rng.choice((0, 1, 1, 3, 12))):
            self._appended += 1
            steps.append(Append(self._appended))
            if rng.random() < 0.15:
                steps.append(Copy(rng.randint(1, self._appended)))
        if rng.random() < 0.1:
            self._pushes += 1
            steps.append(Quarantine(self._pushes))
        for lane, often in zip(LANES, (0.7, 0.15, 0.4), strict=True):
            if self._lanes[lane].position is not None and rng.random() < often:
                steps.append(self._settle(lane))
        guests = rng.random() < 0.08
        self._add(steps, waits=guests or rng.random() < 0.7, reopens=rng.random() < 0.06)
        if guests:
            known = self._lanes["guest"].position is not None
            self._add([self._lane_step(Forget("guest") if known else Register("guest", self._durable))])

    def _add(self, steps: list[Step], *, waits: bool = True, reopens: bool = False) -> None:
        if steps:
            self._bursts.append(Burst(self._index, tuple(steps), waits or reopens, reopens))
            self._index += len(steps)
        if waits or reopens:
            self._durable = self._appended

    def _lane_step(self, step: Register | Forget | Settle) -> Step:
        self._lanes[step.lane] = self._lanes[step.lane].after(step)
        return step

    def _settle(self, lane: str) -> Step:
        """Go on from where the lane is, over events that are durable; some of them are parked, some dead."""
        rng, cursor = self._rng, self._lanes[lane]
        begin = max([cursor.position or 0, *[last for _, last in cursor.settled]])
        end = rng.randint(begin, self._durable)
        settled = [(end + 2, end + 3)] if end + 3 <= self._durable and rng.random() < 0.4 else []
        ended = list(range(begin + 1, end + 1))
        rng.shuffle(ended)
        waiting = [row.position for row in cursor.parked]
        unparked = [position for position in waiting if rng.random() < 0.3]
        again = [position for position in waiting if position not in unparked and rng.random() < 0.2]
        buried = ended[:1] + [position for position in unparked if rng.random() < 0.3]
        parked = [self._park(position) for position in ended[1:4] + again]
        dead = [letter(lane, position) for position in buried]
        return self._lane_step(Settle(lane, Settlement(end, settled, parked, unparked, dead)))

    def _park(self, position: int) -> Parked:
        rng = self._rng
        scope, tries = rng.choice(("", "", SCOPE)), rng.randint(1, 9)
        return Parked(position, KEYS[position % 3], scope, tries // 2, tries, 1, 2, rng.randint(3, 99), "why", "detail")
