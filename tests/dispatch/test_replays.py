"""History sent again: what was asked for, marked, beside the live lane, restarts included."""

import asyncio
from pathlib import Path

import pytest

from router.dispatch.order import ReplayOrder
from router.envelope import Envelope
from router.journal.contract import JournalFullError
from sinks.contract import DELIVERED, Outcome, Rejected
from tests.doubles.dispatching import Dispatching, MovedClock, dispatching
from tests.doubles.events import envelope
from tests.doubles.scripted import ScriptedSink
from tests.doubles.waiting import until

FAST = 1e6


class Marked(ScriptedSink):
    """Knows which events were marked as sent again."""

    def __init__(self, concurrency: int = 1, max_events: int = 10) -> None:
        super().__init__(self._say, concurrency=concurrency, max_events=max_events, seconds=lambda: 0.001)
        self.again: list[str] = []
        self.live: list[str] = []
        self.refused: set[str] = set()

    def _say(self, event: Envelope) -> Outcome:
        marked = "replayedtime" in event.document()
        if marked and event.id in self.refused:
            return Rejected("no")
        (self.again if marked else self.live).append(event.id)
        return DELIVERED


async def ended(running: Dispatching, number: int = 1) -> None:
    async with asyncio.timeout(20):
        while True:
            rows = {row.id: row for row in await running.operators.replays()}
            if rows[number].state == "ended":
                return
            await asyncio.sleep(0.01)


async def test_sends_again_what_was_asked_for_and_marks_it(tmp_path: Path) -> None:
    clock, sink, other = MovedClock(), Marked(), Marked()
    async with dispatching(tmp_path, clock, iam=sink, other=other) as running:
        await running.store(*[envelope(n, f"s{n % 3}", "corehr.a" if n % 2 else "im.b") for n in range(40)])
        start = int(clock.now * 1000) + 1
        clock.now += 60
        await running.store(*[envelope(n, f"s{n % 3}", "corehr.a" if n % 2 else "im.b") for n in range(40, 80)])
        end = int(clock.now * 1000) + 1
        clock.now += 60
        await running.store(*[envelope(n, f"s{n % 3}", "corehr.a") for n in range(80, 100)])
        await running.settled()
        order = ReplayOrder("iam", start, end, ("corehr.*",), (), (), ("!s0",), FAST)
        count = await running.operators.count_replay(order, None)
        wanted = [f"e{n}" for n in range(40, 80) if n % 2 and n % 3]
        assert (count.events, count.next) == (len(wanted), None)
        row = await running.operators.replay(order)
        assert (row.id, row.last - row.first + 1) == (1, 40)
        await ended(running)
        assert sink.again == wanted
        assert [line["delivered"] for line in running.said("replay_ended")] == [len(wanted)]
        assert [state.name for state in await running.journal.lanes()] == ["iam", "other"]
    assert len(sink.live) == len(other.live) == 100
    assert other.again == []


async def test_goes_on_after_a_restart_and_doubles_nothing_settled(tmp_path: Path) -> None:
    sink = Marked()
    async with dispatching(tmp_path, iam=sink) as running:
        await running.fill(range(200))
        await running.settled()
        await running.operators.replay(ReplayOrder("iam", rate=100))
        await until(lambda: len(sink.again) >= 50)
    async with dispatching(tmp_path, iam=sink) as running:
        [row] = await running.operators.replays()
        assert (row.id, row.order.rate, row.last) == (1, 100, 200)
        await ended(running)
        assert (await running.operators.replay(ReplayOrder("iam", until_ms=0))).id == 2
    assert list(dict.fromkeys(sink.again)) == [f"e{n}" for n in range(200)]
    assert len(sink.again) <= 210
    assert len(sink.live) == 200


async def test_keeps_its_rate_and_leaves_the_live_lane_alone(tmp_path: Path) -> None:
    sink = Marked()
    async with dispatching(tmp_path, iam=sink) as running:
        await running.fill(range(1000))
        await running.settled()
        began = asyncio.get_running_loop().time()
        await running.operators.replay(ReplayOrder("iam", rate=100))
        for n in range(1000, 1100):
            await running.store(envelope(n, f"s{n % 5}"))
        await running.settled()
        assert len(sink.live) == 1100
        seconds = asyncio.get_running_loop().time() - began
        assert len(sink.again) <= 100 * (seconds + 1) + 1
        await running.operators.stop_replay(1)
        sent = len(sink.again)
        await running.fill(range(2000, 2010))
        await running.settled()
        assert len(sink.again) == sent
        assert [state.name for state in await running.journal.lanes()] == ["iam"]


async def test_waits_while_its_sink_is_paused(tmp_path: Path) -> None:
    sink = Marked()
    async with dispatching(tmp_path, iam=sink) as running:
        await running.fill(range(20))
        await running.settled()
        await running.operators.pause("iam")
        await running.operators.replay(ReplayOrder("iam", rate=FAST))
        await running.journal.append(envelope(100))
        [row] = await running.operators.replays()
        assert (row.state, sink.again) == ("paused", [])
        await running.operators.resume("iam")
        await ended(running)
        assert len(sink.again) == 20


async def test_its_dead_letters_are_the_sinks_and_come_back_unmarked(tmp_path: Path) -> None:
    sink = Marked()
    sink.refused = {"e3"}
    async with dispatching(tmp_path, iam=sink) as running:
        await running.fill(range(10))
        await running.settled()
        await running.operators.replay(ReplayOrder("iam", rate=FAST))
        await ended(running)
        [letter] = await running.letters()
        assert (letter.lane, letter.event_id) == ("iam", "e3")
        await running.operators.replay_letters(running.everything, 10, None)
        await until(lambda: sink.live.count("e3") == 2)
        assert len(sink.again) == 9


async def test_one_of_a_sink_taken_out_rests_and_goes_with_it(tmp_path: Path) -> None:
    sink = Marked()
    async with dispatching(tmp_path, iam=sink) as running:
        await running.fill(range(50))
        await running.settled()
        await running.operators.replay(ReplayOrder("iam", rate=1))
    async with dispatching(tmp_path) as running:
        assert await running.operators.replays() == []
        await running.operators.forget("iam")
        assert await running.journal.lanes() == []


async def test_its_number_is_its_own_while_its_sink_is_absent(tmp_path: Path) -> None:
    sink, other = Marked(), Marked()
    async with dispatching(tmp_path, iam=sink, other=other) as running:
        await running.fill(range(20))
        await running.settled()
        await running.operators.replay(ReplayOrder("iam", rate=1))
    async with dispatching(tmp_path, other=other) as running:
        assert (await running.operators.replay(ReplayOrder("other", rate=1))).id == 2
    async with dispatching(tmp_path, iam=sink, other=other) as running:
        assert {row.id: row.order.sink for row in await running.operators.replays()} == {1: "iam", 2: "other"}


async def test_its_number_is_given_to_no_other_after_a_restart(tmp_path: Path) -> None:
    sink = Marked()
    async with dispatching(tmp_path, iam=sink) as running:
        await running.fill(range(5))
        await running.settled()
        for number in (1, 2):
            assert (await running.operators.replay(ReplayOrder("iam", rate=FAST))).id == number
            await ended(running, number)
    async with dispatching(tmp_path, iam=sink) as running:
        assert await running.operators.replays() == []
        assert (await running.operators.replay(ReplayOrder("iam", rate=FAST))).id == 3


async def test_its_number_is_above_those_of_an_earlier_version(tmp_path: Path) -> None:
    sink = Marked()
    async with dispatching(tmp_path, iam=sink) as running:
        about = '{"order":{"sink":"gone"},"last":0,"time":"2026-01-31T08:00:00Z"}'
        await running.journal.register("gone/replay-7", 0, about)
    async with dispatching(tmp_path, iam=sink) as running:
        assert (await running.operators.replay(ReplayOrder("iam", rate=FAST))).id == 8


async def test_goes_on_under_the_new_name_of_its_sink(tmp_path: Path) -> None:
    sink = Marked()
    async with dispatching(tmp_path, iam=sink) as running:
        await running.fill(range(100))
        await running.settled()
        await running.operators.replay(ReplayOrder("iam", rate=50))
        await until(lambda: len(sink.again) >= 10)
    async with dispatching(tmp_path, people=(sink, {"was": "iam"})) as running:
        [row] = await running.operators.replays()
        assert (row.id, row.order.sink, [state.name for state in await running.journal.lanes()]) == (
            1,
            "people",
            ["people", "people/replay-1"],
        )
        await ended(running)
    assert list(dict.fromkeys(sink.again)) == [f"e{n}" for n in range(100)]


async def test_a_drain_finishes_what_is_under_way_and_begins_nothing(tmp_path: Path) -> None:
    sink = Marked()
    async with dispatching(tmp_path, iam=sink) as running:
        await running.fill(range(200))
        await running.settled()
        await running.operators.replay(ReplayOrder("iam", rate=50))
        await until(lambda: len(sink.again) >= 20)
        async with asyncio.timeout(20):
            await asyncio.gather(*[lane.drain() for lane in running.dispatcher.drain()])
        sent = len(sink.again)
        assert sent < 200
    async with dispatching(tmp_path, iam=sink) as running:
        [row] = await running.operators.replays()
        assert row.position == sent
        await running.operators.stop_replay(1)
    assert len(sink.again) - sent <= 51  # none twice: only what the new run sent before it was stopped
    assert len(set(sink.again)) == len(sink.again)


async def test_one_that_ends_on_a_full_disk_is_forgotten_later_and_ends_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Marked()
    monkeypatch.setattr("router.dispatch.replays.AGAIN_SECONDS", 0.05)
    async with dispatching(tmp_path, iam=sink) as running:
        await running.fill(range(5))
        await running.settled()
        forget, refusals = running.journal.forget, [JournalFullError("no space")] * 3

        async def refusing(lane: str) -> None:
            if refusals:
                raise refusals.pop()
            await forget(lane)

        monkeypatch.setattr(running.journal, "forget", refusing)
        await running.operators.replay(ReplayOrder("iam", rate=FAST))
        await ended(running)
        assert not refusals
        assert [state.name for state in await running.journal.lanes()] == ["iam"]
        await running.operators.replay(ReplayOrder("iam", rate=2))
        refusals.append(JournalFullError("no space"))
        with pytest.raises(JournalFullError):
            await running.operators.stop_replay(2)
        await ended(running, 2)  # it went on to its end
        assert sink.again[5:] == [f"e{n}" for n in range(5)]
