"""What a lane costs and shows in each of its states: turns, memory, lag, and the end of a drain."""

import asyncio
import tracemalloc
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from router.dispatch import parking
from router.dispatch.lane import Lane
from router.envelope import Envelope
from router.journal.contract import JournalFailedError, Record
from router.settings.model import DispatchSettings
from sinks.contract import DELIVERED, Outcome, Rejected, Retry, Unavailable
from tests.dispatch.lanes import make_lane, running
from tests.doubles.events import envelope
from tests.doubles.journal import MemoryJournal
from tests.doubles.scripted import ScriptedSink
from tests.doubles.virtual import run_virtual


def fill(journal: MemoryJournal, numbers: range, subjects: int = 5, type_: str = "t") -> None:
    for n in numbers:
        _ = journal.append(envelope(n, f"s{n % subjects}", type_))


def count_turns(lane: Lane) -> list[float]:
    turns: list[float] = []
    turn = lane._turn

    async def counted() -> None:
        turns.append(asyncio.get_running_loop().time())
        await turn()

    lane._turn = counted  # type: ignore[method-assign] # to count
    return turns


ANSWERS: dict[str, Callable[[Envelope], Outcome]] = {
    "unavailable": lambda _: Unavailable("down"),
    "failing": lambda _: Retry("http_500"),
    "everything parked": lambda event: DELIVERED if event.subject == "s0" else Retry("http_500"),
    "a scope away": lambda event: Unavailable("denied", scope="s1") if event.subject == "s1" else DELIVERED,
    "every scope away": lambda event: Unavailable("denied", scope=event.subject or ""),
    "half of them poisoned": lambda event: Unavailable("x") if event.subject in ("s1", "s2") else DELIVERED,
    "idle": lambda _: DELIVERED,
}


@pytest.mark.parametrize("name", ANSWERS)
def test_no_state_spins_or_polls(name: str) -> None:
    async def main() -> None:
        journal = MemoryJournal()
        sink = ScriptedSink(ANSWERS[name], scope=lambda event: event.subject or "")
        lane = make_lane(sink, journal)
        turns = count_turns(lane)
        async with running(lane):
            fill(journal, range(500))
            await asyncio.sleep(3600)
            turns.clear()
            await asyncio.sleep(3600)
        assert len(turns) < 2000, f"{len(turns)} turns in an hour"
        assert name != "idle" or not turns

    run_virtual(main())


def test_with_all_keys_held_it_neither_reads_nor_spins_and_a_drain_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parking, "KEYS_MAX", 20)

    async def main() -> None:
        journal = MemoryJournal()
        sink = ScriptedSink(lambda event: DELIVERED if int(event.id[1:]) % 4 == 0 else Retry("no"), max_events=1)
        lane = make_lane(sink, journal)
        turns = count_turns(lane)
        async with running(lane):
            fill(journal, range(20_000), subjects=20_000)
            await asyncio.sleep(3600)
            reading = lane.reading()
            assert 20 <= reading.parked < 20 + 256, "the window may still be parked"
            assert reading.lag_events > 1000
            turns.clear()
            await asyncio.sleep(3600)
            assert len(turns) < 20_000
            async with asyncio.timeout(1000):
                await lane.drain()

    run_virtual(main())


def test_a_filter_that_wants_nothing_costs_nothing_and_leaves_turns_to_others() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        lane = make_lane(ScriptedSink(), journal, dispatch=DispatchSettings(), events=["nothing"])
        async with running(lane):
            await lane.drain()
            event = envelope(1)
            journal.fill([Record(n, event) for n in range(1, 200_001)])
            others = 0
            tracemalloc.start()
            lane._wake.set()
            while journal.cursors["s"][0] < 200_000:
                await asyncio.sleep(0)
                others += 1
            assert tracemalloc.get_traced_memory()[1] < 2 << 20
            tracemalloc.stop()
        assert others > 200
        assert lane.reading().lag_events == 0

    run_virtual(main())


def test_a_probe_that_gets_through_starts_the_queue_again_without_a_new_event() -> None:
    async def main() -> None:
        answers = iter([Unavailable("down")])
        journal = MemoryJournal()
        sink = ScriptedSink(lambda _: next(answers, DELIVERED), max_events=1)
        async with running(make_lane(sink, journal)):
            fill(journal, range(10))
            await asyncio.sleep(60)
            assert len(sink.delivered) == 10

    run_virtual(main())


@pytest.mark.parametrize("error", [asyncio.CancelledError(), TimeoutError("mine"), RuntimeError("bug")])
def test_whatever_deliver_raises_nothing_is_lost(error: BaseException) -> None:
    async def main() -> None:
        journal, sink = MemoryJournal(), ScriptedSink()
        deliver, raised = sink.deliver, list[BaseException]()

        async def sometimes(batch: Sequence[Envelope]) -> Sequence[Outcome]:
            if len(raised) < 2:
                raised.append(error)
                raise error
            return await deliver(batch)

        sink.deliver = sometimes  # type: ignore[method-assign] # a sink that misbehaves
        lane = make_lane(sink, journal)
        async with running(lane):
            fill(journal, range(30), subjects=1)
            await asyncio.sleep(60)
            assert lane.state == "running"
        assert sink.delivered == [f"e{n}" for n in range(30)]
        assert raised == [error, error]

    run_virtual(main())


def test_outcomes_of_no_known_kind_are_a_bug_of_the_sink_and_no_end_of_the_lane() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        sink = ScriptedSink(lambda event: "yes" if event.id == "e3" else DELIVERED)  # type: ignore[arg-type, return-value] # so
        lane = make_lane(sink, journal, retry={"max_attempts": 2})
        async with running(lane):
            fill(journal, range(10))
            await asyncio.sleep(5)
            fill(journal, range(10, 20))
            await asyncio.sleep(500)
        assert [(letter.event_id, letter.reason) for letter in journal.dead] == [("e3", "raised")]

    run_virtual(main())


def test_a_sink_that_rejects_everything_is_there() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        first = [Retry("http_500")] * 16
        sink = ScriptedSink(lambda _: first.pop() if first else Rejected("http_400"), max_events=1)
        lane = make_lane(sink, journal)
        async with running(lane):
            fill(journal, range(100), subjects=100)
            await asyncio.sleep(120)
            assert lane.state == "running"
        assert len(journal.dead) == 100

    run_virtual(main())


def test_a_journal_that_fails_ends_the_lane_and_frees_a_drain() -> None:
    async def main() -> None:
        journal, sink = MemoryJournal(), ScriptedSink()
        lane = make_lane(sink, journal)
        await lane.register()
        task = asyncio.create_task(lane.run())
        fill(journal, range(10))
        await asyncio.sleep(0.005)
        journal.failed = JournalFailedError("gone")
        with pytest.raises(JournalFailedError):
            await asyncio.wait_for(task, 60)
        async with asyncio.timeout(1):
            await lane.drain()
        assert lane.state == "stopped"

    run_virtual(main())


def test_an_error_of_the_lane_itself_ends_it_loudly() -> None:
    async def main() -> None:
        journal, sink = MemoryJournal(), ScriptedSink()
        lane = make_lane(sink, journal)
        lane._judge.batch = None  # type: ignore[method-assign, assignment] # as a bug would
        await lane.register()
        task = asyncio.create_task(lane.run())
        fill(journal, range(10))
        with pytest.raises(TypeError):
            await asyncio.wait_for(task, 60)

    run_virtual(main())


def test_parked_events_come_back_though_a_backlog_never_ends() -> None:
    async def main() -> None:
        failed: list[str] = []

        def answer(event: Envelope) -> Outcome:
            if event.id == "e0" and not failed:
                failed.append(event.id)
                return Retry("once")
            return DELIVERED

        journal = MemoryJournal()
        sink = ScriptedSink(answer, max_events=2000, seconds=lambda: 1.0)
        lane = make_lane(sink, journal)
        async with running(lane):
            fill(journal, range(100_000), subjects=1000)
            await asyncio.sleep(20)
            assert "e0" in sink.delivered
            assert len(sink.delivered) < 50_000

    run_virtual(main())


def test_a_step_of_the_wall_clock_moves_no_retry() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        times: list[float] = []

        def answer(event: Envelope) -> Outcome:
            if event.id == "e0" and len(times) < 5:
                times.append(asyncio.get_running_loop().time())
                return Retry("no", after=10)
            return DELIVERED

        sink = ScriptedSink(answer)
        lane = make_lane(sink, journal)
        clock = lane._clock
        async with running(lane):
            fill(journal, range(10))
            await asyncio.sleep(5)
            clock.epoch -= 1e6  # type: ignore[attr-defined] # the virtual clock's
            await asyncio.sleep(100)
        assert sink.delivered[-1] in ("e0", "e5")
        assert [round(later - sooner) for sooner, later in pairwise(times)] == [10] * 4
        assert journal.dead == []

    run_virtual(main())


def test_an_event_that_always_fails_does_not_stop_a_sink_that_had_nothing_else_for_a_while() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        sink = ScriptedSink(lambda event: Retry("no") if event.id == "e0" else DELIVERED, max_events=1)
        lane = make_lane(sink, journal)
        async with running(lane):
            fill(journal, range(1))
            await asyncio.sleep(7200)
            assert lane.reading().breaker == "open"
            fill(journal, range(1, 101))
            await asyncio.sleep(120)
            assert sorted(sink.delivered) == sorted(f"e{n}" for n in range(1, 101) if n % 5)

    run_virtual(main())
