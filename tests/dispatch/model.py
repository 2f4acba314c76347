"""Around a lane that is watched: a sink and a journal that tell a specification what happens."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

from router.envelope import Envelope
from router.journal.contract import Parked, Settlement
from sinks.contract import DELIVERED, FOLLOWS, Delivered, Outcome, Retry, SinkNotReadyError, Unavailable, order_key
from tests.dispatch.specification import Specification
from tests.doubles.journal import MemoryJournal

TIMEOUT_SECONDS = 30.0


@contextmanager
def heard(specification: Specification) -> Iterator[None]:
    """Keeps objections: inside a sink or a journal's callback they would be taken for their bugs."""
    try:
        yield
    except (AssertionError, KeyError) as objection:
        specification.objections.append(objection)


class SlowJournal(MemoryJournal):
    """What it is told is durable some time later, in order; a crash forgets the rest."""

    def __init__(self, specification: Specification, seconds: float) -> None:
        super().__init__()
        self._specification = specification
        self._seconds = seconds
        self._pending: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []
        self._letters = 0

    def settle(self, lane: str, settlement: Settlement) -> asyncio.Future[None]:
        with heard(self._specification):
            self._specification.settled(settlement, asyncio.get_running_loop().time())
        return self._later(partial(self._settle, lane, settlement))

    def _settle(self, lane: str, settlement: Settlement) -> None:
        dead = []
        for letter in settlement.dead:
            self._letters += 1
            dead.append(replace(letter, id=self._letters))
        _ = super().settle(lane, replace(settlement, dead=dead))

    async def revive(self, lane: str, parked: Mapping[int, Parked]) -> Sequence[int]:
        done: Sequence[int] = await self._later(partial(self._revive, lane, parked))
        return done

    def _revive(self, lane: str, parked: Mapping[int, Parked]) -> Sequence[int]:
        there = [letter for letter in self.dead if letter.id in parked]
        for letter in there:
            self.dead.remove(letter)
            row = parked[letter.id]
            self.parked.setdefault(lane, {})[row.position] = row
            with heard(self._specification):
                self._specification.revived(row.position)
        return [letter.id for letter in there]

    def _later(self, what: Callable[[], Any]) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        if not self._pending:
            loop.call_later(self._seconds, self.commit)
        self._pending.append((what, future))
        return future

    def commit(self) -> None:
        pending, self._pending = self._pending, []
        for what, future in pending:
            result = what()
            if not future.done():
                future.set_result(result)

    def crash(self) -> None:
        self._pending.clear()


@dataclass
class Target:
    """What the sinks send to, and how it is just now. every: each so many-th event fails with `flaky`."""

    down: Outcome | None = None
    denied: dict[str, Outcome] = field(default_factory=dict)
    poison: dict[str, Outcome] = field(default_factory=dict)
    flaky: Outcome | None = None
    every: int = 0
    seconds: float = 0.01
    raises: bool = False
    _count: int = 0

    def heal(self) -> None:
        """All but the poison."""
        self.down, self.flaky, self.raises, self.seconds = None, None, False, 0.01
        self.denied.clear()

    def answer(self, event: Envelope, scope: str) -> Outcome:
        self._count += 1
        if self.down is not None:
            return self.down
        if scope in self.denied:
            return self.denied[scope]
        if event.id in self.poison:
            return self.poison[event.id]
        return self.flaky if self.flaky is not None and self._count % self.every == 0 else DELIVERED


class WatchedSink:
    """Tells what it is given and what it answers."""

    max_bytes = 1 << 20

    def __init__(self, specification: Specification, target: Target, limits: "Limits", *, refuse: int = 0) -> None:
        """refuse: so many times it can't be opened."""
        self.max_events, self.concurrency, self.keeps_order = limits.max_events, limits.concurrency, limits.keeps_order
        self._busy = 0
        self.opened = False
        self._retired = False
        self._refuse = refuse
        self._limits = limits
        self._specification = specification
        self._target = target

    async def open(self) -> None:
        if self._refuse:
            self._refuse -= 1
            raise SinkNotReadyError("nobody there")
        self.opened = True
        self._specification.available()

    async def close(self) -> None:
        with heard(self._specification):
            assert not self._busy, "closed while something was under way"
        self._retired = True

    def scope(self, envelope: Envelope) -> str:
        return self._limits.scope(envelope)

    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        now = asyncio.get_running_loop().time
        ids, begun = [envelope.id for envelope in batch], now()
        with heard(self._specification):
            assert self.opened, "given to a sink that is not open"
            assert not self._retired, "given to a sink that was replaced"
            assert self._busy < self.concurrency
            assert len(ids) <= self.max_events
            self._specification.given(ids, begun)
        outcomes: Sequence[Outcome] = ()
        self._busy += 1
        try:
            await asyncio.sleep(self._target.seconds)
            if self._target.raises:
                outcomes = [Retry("raised")] * (len(ids) == 1)
                raise RuntimeError("bug")
            outcomes = self._outcomes(batch)
            return outcomes
        except asyncio.CancelledError:
            outcomes = [Unavailable("timeout")] * len(ids) if now() - begun >= TIMEOUT_SECONDS else ()
            raise
        finally:
            self._busy -= 1
            with heard(self._specification):
                if outcomes:
                    self._specification.answered(ids, outcomes, now())
                else:
                    self._specification.lost(ids)

    def _outcomes(self, batch: Sequence[Envelope]) -> list[Outcome]:
        failed: set[str] = set()
        outcomes: list[Outcome] = []
        for event in batch:
            key = self._limits.key(event) if self.keeps_order else None
            outcome = FOLLOWS if key in failed else self._target.answer(event, self.scope(event))
            if key is not None and not isinstance(outcome, Delivered):
                failed.add(key)
            outcomes.append(outcome)
        return outcomes


class Limits(NamedTuple):
    """What a sink declares of itself, and the order that is asked for."""

    max_events: int
    concurrency: int
    keeps_order: bool
    scopes: bool
    ordering: str

    def scope(self, event: Envelope) -> str:
        return event.type if self.scopes else ""

    def key(self, event: Envelope) -> str | None:
        """Scope and order key: what is kept in order."""
        key = order_key(self.ordering, event)
        return None if key is None else f"{self.scope(event)}\n{key}"
