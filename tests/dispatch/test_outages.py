"""Small worlds in which lanes once did the wrong thing; the model found them."""

import asyncio

from router.envelope import Envelope
from router.journal.contract import Parked
from router.settings.model import DispatchSettings
from sinks.contract import DELIVERED, Outcome, Retry, Unavailable
from tests.dispatch.lanes import make_lane, running
from tests.dispatch.test_parking import Lot
from tests.doubles.events import envelope
from tests.doubles.journal import MemoryJournal
from tests.doubles.scripted import ScriptedSink
from tests.doubles.virtual import run_virtual


def test_of_the_pauses_that_a_batch_is_asked_for_the_longest_counts() -> None:
    async def main() -> None:
        journal, times = MemoryJournal(), list[float]()

        def answer(event: Envelope) -> Outcome:
            times.append(asyncio.get_running_loop().time())
            if len(times) > 2:
                return DELIVERED
            return Unavailable("down") if event.id == "e0" else Unavailable("http_503", after=20)

        sink = ScriptedSink(answer)
        async with running(make_lane(sink, journal)):
            for n in range(2):
                _ = journal.append(envelope(n, f"s{n}"))
            await asyncio.sleep(60)
        assert sink.delivered == ["e0", "e1"]
        assert 20 <= times[2] - times[1] < 21

    run_virtual(main())


async def test_a_letter_given_back_goes_before_what_is_loaded_of_its_subject() -> None:
    """Else a consumer that was mended gets the old state last."""
    lot = Lot()
    lot.park(3, "k")
    await lot.parking.restore(300)
    lot.journal.parked["s"].pop(1)  # a dead letter, as yet
    [second] = await lot.load()
    assert second.position == 2
    assert second.parked is not None
    lot.parking.reserve(["k"])
    lot.journal.parked["s"][1] = Parked(1, "k", "")
    lot.parking.revived(["k"])
    assert lot.parking.divert(second)
    assert [entry.position for entry in await lot.load()] == [1]


def test_two_sick_events_at_the_front_and_one_that_fails_do_not_stop_the_sink() -> None:
    async def main() -> None:
        sick: dict[str, Outcome] = {"e0": Retry("no"), "e1": Unavailable("x"), "e2": Unavailable("x")}
        journal = MemoryJournal()
        sink = ScriptedSink(lambda event: sick.get(event.id, DELIVERED))
        lane = make_lane(sink, journal, retry={"max_seconds": 20})
        async with running(lane):
            _ = journal.append(envelope(0, "s0"))
            await asyncio.sleep(1800)
            assert lane.reading().breaker != "closed"
            for n in range(1, 9):
                _ = journal.append(envelope(n, f"s{n}"))
            await asyncio.sleep(1800)
        assert set(sink.delivered) == {f"e{n}" for n in range(3, 9)}

    run_virtual(main())


def test_what_waits_for_a_scope_is_probed_with_too() -> None:
    async def main() -> None:
        denied = ["a"]

        def answer(event: Envelope) -> Outcome:
            if event.type in denied:
                return Unavailable("denied", scope=event.type)
            return Retry("no") if event.id == "e0" else DELIVERED

        journal = MemoryJournal()
        sink = ScriptedSink(answer, scope=lambda event: event.type)
        lane = make_lane(sink, journal, retry={"max_seconds": 20})
        async with running(lane):
            _ = journal.append(envelope(0, "s0", "b"))
            _ = journal.append(envelope(1, "s1", "a"))
            await asyncio.sleep(1800)
            assert lane.reading().breaker != "closed"
            denied.clear()
            await asyncio.sleep(300)
        assert sink.delivered == ["e1"]

    run_virtual(main())


def test_a_pause_between_two_probes_stops_the_second() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        sink = ScriptedSink(lambda _: Unavailable("down"), max_events=1, seconds=lambda: 5.0)
        lane = make_lane(sink, journal)
        async with running(lane):
            for n in range(2):
                _ = journal.append(envelope(n, f"s{n}"))
            await asyncio.sleep(8)  # in the middle of the first probe
            assert sink.attempted == ["e0"]
            lane.outlet.paused = True
            lane.outlet.wake()
            await asyncio.sleep(600)
            assert sink.attempted == ["e0", "e0"]
            sink.answer = lambda _: DELIVERED
            lane.outlet.paused = False
            lane.outlet.wake()
            await asyncio.sleep(60)
        assert set(sink.delivered) == {"e0", "e1"}

    run_virtual(main())


def test_a_window_full_of_a_sick_subjects_followers_hides_no_other() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        sink = ScriptedSink(lambda event: Retry("no") if event.id == "e0" else DELIVERED)
        lane = make_lane(sink, journal, dispatch=DispatchSettings(window_events=10), retry={"max_seconds": 20})
        async with running(lane):
            _ = journal.append(envelope(0, "sick"))
            await asyncio.sleep(1800)
            assert lane.reading().breaker != "closed"
            for n in range(1, 31):
                _ = journal.append(envelope(n, "sick"))
            _ = journal.append(envelope(31, "well"))
            await asyncio.sleep(1800)
        assert sink.delivered == ["e31"]

    run_virtual(main())
