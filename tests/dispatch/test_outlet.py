"""What operators do with a sink while its lane runs: pause it, slow it down, replace it."""

import asyncio
import io
from collections.abc import Sequence

from router.dispatch.errand import Errand
from router.dispatch.lane import Lane
from router.dispatch.outlet import Outlet
from router.dispatch.parts import Parts
from router.dispatch.rate import Rate
from router.envelope import Envelope
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger
from sinks.contract import DELIVERED, Outcome, Retry, Unavailable
from tests.dispatch.lanes import make_lane, running
from tests.doubles.events import envelope
from tests.doubles.journal import MemoryJournal
from tests.doubles.scripted import ScriptedSink
from tests.doubles.virtual import run_virtual
from tests.doubles.waiting import until


def fill(journal: MemoryJournal, numbers: range, subjects: int = 5) -> list[str]:
    for n in numbers:
        _ = journal.append(envelope(n, f"s{n % subjects}"))
    return [f"e{n}" for n in numbers]


def pause(outlet: Outlet, *, paused: bool) -> None:
    outlet.paused = paused
    outlet.wake()


def test_a_paused_sink_gets_nothing_and_goes_on_where_it_was() -> None:
    async def main() -> None:
        journal, sink = MemoryJournal(), ScriptedSink()
        lane = make_lane(sink, journal)
        async with running(lane):
            first = fill(journal, range(100))
            await asyncio.sleep(1)
            assert sink.delivered == first
            pause(lane.outlet, paused=True)
            more = fill(journal, range(100, 200))
            await asyncio.sleep(3600)
            assert sink.delivered == first
            assert (lane.reading().state, lane.reading().lag_events) == ("paused", 100)
            assert lane.reading().lag_seconds > 3500
            await lane.drain()  # there is nothing to wait for
            pause(lane.outlet, paused=False)
            await asyncio.sleep(1)
            assert sink.delivered == first + more
            assert lane.reading().state == "running"

    run_virtual(main())


def test_a_paused_sink_is_not_probed() -> None:
    async def main() -> None:
        journal, sink = MemoryJournal(), ScriptedSink(lambda _: Unavailable("down"))
        lane = make_lane(sink, journal)
        async with running(lane):
            fill(journal, range(10))
            await asyncio.sleep(5)
            assert lane.state == "unavailable"
            pause(lane.outlet, paused=True)
            await asyncio.sleep(1)
            tried = len(sink.attempted)
            await asyncio.sleep(3600)
            assert len(sink.attempted) == tried
            sink.answer = lambda _: DELIVERED
            pause(lane.outlet, paused=False)
            await asyncio.sleep(60)
            assert len(sink.delivered) == 10

    run_virtual(main())


def test_what_is_under_way_when_a_pause_begins_is_finished_and_settled() -> None:
    async def main() -> None:
        journal, sink = MemoryJournal(), ScriptedSink(seconds=lambda: 5.0)
        lane = make_lane(sink, journal)
        async with running(lane):
            fill(journal, range(30))
            await asyncio.sleep(1)
            pause(lane.outlet, paused=True)
            await asyncio.sleep(60)
            assert sink.delivered == [f"e{n}" for n in range(10)]
            assert journal.cursors["s"][0] == 10

    run_virtual(main())


def test_a_rate_is_kept_in_bursts_of_a_second() -> None:
    async def main() -> None:
        journal, sink = MemoryJournal(), ScriptedSink(max_events=1000)
        lane = make_lane(sink, journal, rate=20)
        async with running(lane):
            ids = fill(journal, range(200))
            await asyncio.sleep(0.5)
            assert 20 <= len(sink.delivered) <= 30
            await asyncio.sleep(4)
            assert 90 <= len(sink.delivered) <= 111
            await asyncio.sleep(6)
            assert sink.delivered == ids

    run_virtual(main())


def test_retries_and_probes_count_towards_the_rate() -> None:
    async def main() -> None:
        tries: list[float] = []

        def answer(event: Envelope) -> Outcome:
            tries.append(asyncio.get_running_loop().time())
            return Retry("no") if len(tries) % 2 else DELIVERED

        journal, sink = MemoryJournal(), ScriptedSink(answer, max_events=1000)
        lane = make_lane(sink, journal, rate=5, retry={"initial_seconds": 0.01, "max_seconds": 0.01})
        async with running(lane):
            fill(journal, range(50), subjects=50)
            await asyncio.sleep(100)
        assert len(sink.delivered) == 50
        assert all(later - sooner >= 0.99 for sooner, later in zip(tries, tries[10:], strict=False))

    run_virtual(main())


def test_another_sink_takes_over_when_what_is_under_way_has_ended() -> None:
    async def main() -> None:
        journal, old, new = MemoryJournal(), ScriptedSink(seconds=lambda: 5.0), ScriptedSink()
        lane = make_lane(old, journal)
        async with running(lane):
            ids = fill(journal, range(30))
            await asyncio.sleep(1)
            lane.outlet.replace(new)
            await asyncio.sleep(3)
            assert not new.delivered
            await asyncio.sleep(10)
            assert old.delivered + new.delivered == ids
            assert len(old.delivered) == 10
            assert lane.state == "running"

    run_virtual(main())


def test_another_sink_takes_over_at_once_from_one_that_never_opened_or_is_away() -> None:
    async def main() -> None:
        for broken in (ScriptedSink(), ScriptedSink(lambda _: Unavailable("password"))):
            broken.refuse_open = 1000 if broken.answer(envelope(0)) is DELIVERED else 0
            journal, new = MemoryJournal(), ScriptedSink()
            lane = make_lane(broken, journal)
            async with running(lane):
                ids = fill(journal, range(30))
                await asyncio.sleep(600)
                assert lane.state == "unavailable"
                lane.outlet.replace(new)
                await asyncio.sleep(1)
                assert sorted(new.delivered) == sorted(ids)
                assert [id_ for id_ in new.delivered if int(id_[1:]) % 5 == 0] == ids[::5]

    run_virtual(main())


def test_the_old_sink_is_closed_whatever_it_does_then() -> None:
    class Stubborn(ScriptedSink):
        closed = 0

        async def close(self) -> None:
            self.closed += 1
            raise RuntimeError("no")

    async def main() -> None:
        journal, old, new = MemoryJournal(), Stubborn(), ScriptedSink()
        lane = make_lane(old, journal)
        async with running(lane):
            lane.outlet.replace(new)
            ids = fill(journal, range(3))
            await asyncio.sleep(1)
            assert (old.closed, new.delivered) == (1, ids)

    run_virtual(main())


def replay(lane: Lane, journal: MemoryJournal) -> Lane:
    """One of everything, beside the live lane."""
    parts = Parts(journal, lane._limits, lane._telemetry, lane._clock, lane._jitter)
    rate = Rate(1e6, lane._clock.monotonic)
    return Lane(lane.outlet, parts, Errand("s/replay-1", lambda _: True, journal.head, "2026-01-31T08:00:00Z", rate))


def again(event: Envelope) -> bool:
    return "replayedtime" in event.document()


def test_a_probe_waits_for_its_turn_as_everything_does() -> None:
    async def main(*, live_down: bool) -> None:
        journal = MemoryJournal()
        sink = ScriptedSink(
            lambda event: DELIVERED if again(event) == live_down else Unavailable("down"),
            max_events=1,
            seconds=lambda: 0.3,
        )
        lane = make_lane(sink, journal)
        await lane.register()
        fill(journal, range(300), subjects=300)
        other = replay(lane, journal)
        await journal.register(other.name, 0)
        async with running(lane), running(other):
            await asyncio.sleep(1000)
            assert len(sink.delivered) == 300
            assert (lane.state, other.state) == ("unavailable", "stopped") if live_down else ("running", "unavailable")
        assert sink.peak == 1

    run_virtual(main(live_down=True))
    run_virtual(main(live_down=False))


def test_a_sink_that_takes_over_gets_nothing_before_it_is_open() -> None:
    class Slow(ScriptedSink):
        opened = False

        async def open(self) -> None:
            await asyncio.sleep(20)
            self.opened = True

    async def main() -> None:
        journal, old = MemoryJournal(), ScriptedSink(lambda _: Unavailable("password"))
        new = Slow(lambda _: DELIVERED if new.opened else Unavailable("too early"))
        lane = make_lane(old, journal)
        await lane.register()
        fill(journal, range(30))
        other = replay(lane, journal)
        await journal.register(other.name, 0)
        async with running(lane), running(other):
            await asyncio.sleep(10)
            assert other.state == "unavailable"
            lane.outlet.replace(new)
            await asyncio.sleep(1000)
        assert len(new.attempted) == len(new.delivered) == 60

    run_virtual(main())


def test_a_sink_that_lets_out_a_cancellation_of_its_own_ends_no_lane() -> None:
    class Leaky(ScriptedSink):
        leaks = 1

        async def open(self) -> None:
            self.leaks -= 1
            if self.leaks >= 0:
                raise asyncio.CancelledError

        async def close(self) -> None:
            raise asyncio.CancelledError

    async def main() -> None:
        journal, old, new = MemoryJournal(), Leaky(), ScriptedSink()
        lane = make_lane(old, journal)
        async with running(lane):
            first = fill(journal, range(10))
            await asyncio.sleep(60)
            assert old.delivered == first
            lane.outlet.replace(new)
            more = fill(journal, range(10, 20))
            await asyncio.sleep(60)
            assert new.delivered == more

    run_virtual(main())


def test_a_target_that_asks_for_time_gets_it_all() -> None:
    async def main() -> None:
        times: list[float] = []

        def answer(event: Envelope) -> Outcome:
            times.append(asyncio.get_running_loop().time())
            return Unavailable("http_429", after=200) if len(times) < 3 else DELIVERED

        journal, sink = MemoryJournal(), ScriptedSink(answer)
        lane = make_lane(sink, journal, retry={"max_seconds": 250})
        async with running(lane):
            fill(journal, range(10), subjects=1)
            await asyncio.sleep(1000)
        assert len(sink.delivered) == 10
        assert times[1] - times[0] >= 200

    run_virtual(main())


def test_what_a_plug_in_says_in_its_errors_stays_there() -> None:
    class Chatty(ScriptedSink):
        async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
            if self.attempted:
                return await super().deliver(batch)
            self.attempted.append("")
            raise ValueError("password hunter2")

    async def main() -> None:
        journal, sink = MemoryJournal(), Chatty(max_events=1)
        lane = make_lane(sink, journal)
        log = io.StringIO()
        lane.outlet._telemetry = Telemetry(make_logger("info", "json", log))
        async with running(lane):
            fill(journal, range(1))
            await asyncio.sleep(0.02)
            [row] = journal.parked["s"].values()
            assert row.reason == "raised"
            assert row.detail.startswith("ValueError at ")
            assert "hunter2" not in log.getvalue() + repr(row)
            assert "test_outlet.py" in log.getvalue()

    run_virtual(main())


def test_a_sink_that_says_it_is_there_again_is_tried_at_once() -> None:
    async def main() -> None:
        journal, sink = MemoryJournal(), ScriptedSink(lambda _: Unavailable("nobody"))
        lane = make_lane(sink, journal)
        async with running(lane):
            fill(journal, range(10))
            await asyncio.sleep(3600)
            tried = len(sink.attempted)
            lane.outlet.hurry()  # too early: it is not there yet
            await asyncio.sleep(1.5)
            assert tried + 4 <= len(sink.attempted) <= tried + 6  # now, and soon again: the pauses begin anew
            await asyncio.sleep(3600)
            sink.answer = lambda _: DELIVERED
            lane.outlet.hurry()
            await asyncio.sleep(0.1)
            assert len(sink.delivered) == 10
            assert lane.state == "running"

    run_virtual(main())


def test_a_sink_that_comes_back_while_a_probe_fails_is_tried_again_at_once() -> None:
    async def main() -> None:
        journal, sink = MemoryJournal(), ScriptedSink(lambda _: Unavailable("nobody"), seconds=lambda: 0.05)
        lane = make_lane(sink, journal)

        def back(_: Envelope) -> Outcome:
            sink.answer = lambda _: DELIVERED
            lane.outlet.hurry()
            return Unavailable("nobody")  # what this one saw is over already

        async with running(lane):
            fill(journal, range(10), subjects=1)
            await asyncio.sleep(3600)
            sink.answer = back
            tried = len(sink.attempted)
            await until(lambda: len(sink.attempted) > tried, patience=60)
            await asyncio.sleep(0.3)
            assert len(sink.delivered) == 10

    run_virtual(main())


def test_a_sink_that_can_be_opened_again_says_so() -> None:
    async def main() -> None:
        journal, sink = MemoryJournal(), ScriptedSink()
        sink.refuse_open = 100
        lane = make_lane(sink, journal)
        async with running(lane):
            await asyncio.sleep(600)
            assert lane.reading().state == "unavailable"
            sink.refuse_open = 0
            lane.outlet.hurry()
            await asyncio.sleep(0.1)
            assert lane.reading().state == "running"

    run_virtual(main())


def test_a_sink_that_grows_is_given_more_at_once() -> None:
    async def main() -> None:
        journal, sink = MemoryJournal(), ScriptedSink(max_events=1, keeps_order=False, seconds=lambda: 10.0)
        lane = make_lane(sink, journal)
        async with running(lane):
            fill(journal, range(400), subjects=400)
            await asyncio.sleep(1)
            assert sink.running == 1
            sink.concurrency = 300
            lane.outlet.hurry()
            await asyncio.sleep(1)
            assert sink.running == 300  # the window has grown with it

    run_virtual(main())
