"""A lane, its operators, its sink's moods and the router's ends in any order, watched by the specification.

By hand: MODEL_EXAMPLES=2000 pytest tests/dispatch/test_model.py
"""

import asyncio
import os
from collections.abc import Collection, Coroutine
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from router.dispatch.lane import Lane
from router.settings.model import DispatchSettings
from sinks.contract import Outcome, Rejected, Retry, Unavailable
from sinks.settings import RetrySettings, SinkSettings
from tests.dispatch.lanes import make_lane
from tests.dispatch.model import TIMEOUT_SECONDS, Limits, SlowJournal, Target, WatchedSink
from tests.dispatch.specification import Specification
from tests.doubles.events import envelope
from tests.doubles.virtual import VirtualLoop

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "200"))
CALM_SECONDS = 3600.0
RETRY = RetrySettings(max_attempts=3, max_age_seconds=600, max_seconds=20)
TYPES = ["t0", "t1", "t2", "unwanted"]

limits = st.builds(
    Limits,
    st.sampled_from([1, 3, 50]),
    st.sampled_from([1, 1, 4]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["key", "key", "source", "none"]),
)
failures: st.SearchStrategy[Outcome] = st.sampled_from(
    [
        Retry("http_500"),
        Retry("http_500", after=9),
        Rejected("http_400"),
        Unavailable("down"),
        Unavailable("x", after=15),
    ]
)


class LaneModel(RuleBasedStateMachine):
    """Each rule is something that happens to a lane; the specification hears of all that it does."""

    @initialize(
        of=limits,
        rate=st.sampled_from([0.0, 0.0, 3.0]),
        window=st.sampled_from([4000, 10]),
        commit_seconds=st.sampled_from([0.0, 0.02]),
        least=st.sampled_from([5, 50]),
        refuse=st.sampled_from([0, 0, 2]),
    )
    def begin(self, of: Limits, rate: float, window: int, commit_seconds: float, least: int, refuse: int) -> None:
        self.runner = asyncio.Runner(loop_factory=VirtualLoop)
        self.limits = of
        self.settings: dict[str, Any] = {
            "ordering": of.ordering,
            "events": ["!unwanted"],
            "rate": rate,
            "retry": RETRY,
            "breaker": {"min_deliveries": least},
        }
        self.dispatch = DispatchSettings(deliver_timeout_seconds=TIMEOUT_SECONDS, window_events=window)
        sink_settings = SinkSettings.model_validate({"type": "memory", **self.settings})
        self.specification = Specification(sink_settings, batches_keep_order=of.keeps_order)
        self.target = Target()
        self.stored = 0
        self.runs = 0
        self.paused = False
        self.broken = False
        self.given_back: list[asyncio.Task[Any]] = []
        self.run(self.prepare(commit_seconds))
        self.run(self.start(refuse))

    async def prepare(self, commit_seconds: float) -> None:
        self.journal = SlowJournal(self.specification, commit_seconds)

    def run(self, what: Coroutine[Any, Any, None]) -> None:
        self.broken = True
        self.runner.run(what)
        self.broken = False

    # The router

    async def start(self, refuse: int = 0) -> None:
        self.runs += 1
        self.lane = self.make(refuse)
        self.specification.breaker_is_open = lambda: self.lane.reading().breaker != "closed"
        await self.lane.register()
        self.lane.outlet.paused = self.paused
        self.task = asyncio.create_task(self.lane.run())
        await asyncio.sleep(0)

    def make(self, refuse: int) -> Lane:
        return make_lane(self.sink(refuse), self.journal, self.runs, self.dispatch, **self.settings)

    def sink(self, refuse: int) -> WatchedSink:
        self.newest = WatchedSink(self.specification, self.target, self.limits, refuse=refuse)
        return self.newest

    async def stop(self, *, crash: bool) -> None:
        if crash:
            self.journal.crash()
        for task in [*self.given_back, self.task]:
            task.cancel()
        await asyncio.gather(*self.given_back, self.task, return_exceptions=True)
        self.given_back.clear()
        if crash:
            self.journal.crash()  # what it wanted to say in the end is lost too
        self.journal.commit()

    @rule(crash=st.booleans(), refuse=st.sampled_from([0, 0, 1]))
    def restart(self, crash: bool, refuse: int) -> None:
        self.run(self.stop(crash=crash))
        low, ranges = self.journal.cursors["s"]
        dead = {letter.position for letter in self.journal.dead if letter.position is not None}
        copies = self.specification.restarted(low, ranges, self.journal.parked.get("s", {}), dead)
        assert crash or not copies, f"{copies} events will come again after an orderly end"
        self.run(self.start(refuse))

    # Events

    @rule(
        events=st.lists(
            st.tuples(st.integers(0, 4), st.sampled_from(TYPES), st.sampled_from([None] * 12 + [Retry("http_500")])),
            min_size=1,
            max_size=30,
        )
    )
    def store(self, events: list[tuple[int, str, Outcome | None]]) -> None:
        self.run(self.store_all(events))

    @rule(count=st.integers(20, 100), type_=st.sampled_from(TYPES[:3]))
    def store_many(self, count: int, type_: str) -> None:
        self.run(self.store_all([(n, type_, None) for n in range(count)]))

    @rule(subject=st.integers(0, 4), type_=st.sampled_from(TYPES[:3]), outcome=failures)
    def store_poison(self, subject: int, type_: str, outcome: Outcome) -> None:
        if isinstance(outcome, Unavailable):
            if sum(isinstance(other, Unavailable) for other in self.target.poison.values()) > 1:
                return  # each costs the whole sink a pause before it is found out; many of them are an outage
            outcome = Unavailable("not_authorised", scope=type_) if self.limits.scopes else outcome
        self.run(self.store_all([(subject, type_, outcome)]))

    async def store_all(self, events: list[tuple[int, str, Outcome | None]]) -> None:
        for subject, type_, poison in events:
            event = envelope(self.stored, f"s{subject}", type_)
            self.stored += 1
            _ = self.journal.append(event)
            if type_ != "unwanted":
                scope, key = self.limits.scope(event), self.limits.key(event)
                self.specification.stored(self.journal.head, event.id, scope, key)
                if poison is not None:
                    self.target.poison[event.id] = poison

    @rule(seconds=st.sampled_from([0.0, 0.005, 0.01, 0.1, 1.0, 7.0, 60.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    # The sink's moods

    @rule(outcome=failures)
    def goes_down(self, outcome: Outcome) -> None:
        self.target.down = outcome

    @rule(type_=st.sampled_from(TYPES[:3]), after=st.sampled_from([None, 12.0]))
    def denies_a_scope(self, type_: str, after: float | None) -> None:
        self.target.denied[type_] = Unavailable("denied", after=after, scope=type_ if self.limits.scopes else "")

    @rule(outcome=failures, every=st.integers(2, 9))
    def flickers(self, outcome: Outcome, every: int) -> None:
        self.target.flaky, self.target.every = outcome, every

    @rule(seconds=st.sampled_from([0.001, 0.5, 5.0, 100.0]))
    def is_slow(self, seconds: float) -> None:
        self.target.seconds = seconds

    @rule()
    def misbehaves(self) -> None:
        self.target.raises = True

    @rule()
    def heals(self) -> None:
        self.target.heal()

    @rule()
    def takes_what_it_would_not(self) -> None:
        self.target.poison.clear()

    # Operators

    @precondition(lambda self: not self.paused)
    @rule()
    def pause(self) -> None:
        self.run(self.set_paused(True))

    @precondition(lambda self: self.paused)
    @rule()
    def resume(self) -> None:
        self.run(self.set_paused(False))

    async def set_paused(self, paused: bool) -> None:
        self.paused = self.lane.outlet.paused = paused
        self.specification.paused_at = asyncio.get_running_loop().time() if paused else None
        self.lane.outlet.wake()

    @precondition(lambda self: self.journal.dead)
    @rule(share=st.sampled_from([1, 1, 2, 3]), seconds=st.sampled_from([0.0, 0.01, 0.1]))
    def give_letters_back(self, share: int, seconds: float) -> None:
        self.run(self.revive(share, seconds))

    async def revive(self, share: int, seconds: float) -> None:
        letters = sorted(self.journal.dead, key=lambda letter: letter.position or 0)[::share]
        self.given_back.append(asyncio.create_task(self.lane.revive(letters)))
        await asyncio.sleep(seconds)

    @rule(refuse=st.sampled_from([0, 0, 1]))
    def replace_the_sink(self, refuse: int) -> None:
        self.lane.outlet.replace(self.sink(refuse))

    # What must be

    @invariant()
    def nothing_was_done_that_must_not_be(self) -> None:
        if self.specification.objections:
            self.broken = True
            raise self.specification.objections[0]
        for task in [*self.given_back, self.task]:
            if task.done():
                self.broken = True
                task.result()
                self.broken = False

    @precondition(lambda self: not self.paused)
    @rule()
    def in_a_calm_everything_ends(self) -> None:
        self.target.heal()
        self.run(self.calm())

    @precondition(lambda self: self.limits.scopes and not self.paused)
    @rule(type_=st.sampled_from(TYPES[:3]), after=st.sampled_from([None, 12.0]))
    def a_denied_scope_stops_no_other(self, type_: str, after: float | None) -> None:
        self.target.heal()
        self.target.denied[type_] = Unavailable("denied", after=after, scope=type_)
        self.run(self.calm([type_]))

    async def calm(self, denied: Collection[str] = ()) -> None:
        await asyncio.sleep(CALM_SECONDS)
        self.specification.calm(self.target.poison, denied)
        assert self.newest.opened, "the sink was not replaced"

    def teardown(self) -> None:
        if not hasattr(self, "runner"):
            return
        try:
            if not self.broken:
                self.run(self.last_calm())
                self.nothing_was_done_that_must_not_be()
        finally:
            self.runner.run(self.stop(crash=False))
            self.runner.close()

    async def last_calm(self) -> None:
        """Others keep coming, so that attempts count: then poisoned ones have ended too."""
        self.target.heal()
        if self.limits.ordering == "source":
            self.target.poison.clear()
        await self.set_paused(False)
        for n in range(120):
            await self.store_all([(90 + n % 2, TYPES[n % 3], None)])
            await asyncio.sleep(10)
        await asyncio.sleep(CALM_SECONDS)
        self.specification.calm()
        assert self.journal.cursors["s"] == (self.journal.head, []), "not all is settled"
        assert not self.journal.parked.get("s"), "something is still parked"


TestLane = pytest.mark.timeout(600)(LaneModel.TestCase)
TestLane.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
