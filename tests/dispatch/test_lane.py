"""One lane against scripted sinks, on virtual time."""

import asyncio
import itertools
from collections import Counter

from router.dispatch.rate import Rate
from router.envelope import Envelope
from sinks.contract import DELIVERED, Outcome, Rejected, Retry, Unavailable
from tests.dispatch.lanes import make_lane, running
from tests.doubles.events import envelope
from tests.doubles.journal import MemoryJournal
from tests.doubles.scripted import ScriptedSink
from tests.doubles.virtual import run_virtual

HOUR = 3600.0


def fill(journal: MemoryJournal, count: int, subjects: int = 5) -> list[str]:
    return [_append(journal, envelope(n, f"s{n % subjects}")) for n in range(count)]


def _append(journal: MemoryJournal, event: Envelope) -> str:
    _ = journal.append(event)
    return event.id


def test_delivers_everything_once_in_order() -> None:
    async def main() -> None:
        journal, sink = MemoryJournal(), ScriptedSink()
        lane = make_lane(sink, journal)
        async with running(lane):
            ids = fill(journal, 5000)
            await lane.drain()
        assert sink.delivered == ids
        assert journal.cursors["s"] == (5000, [])

    run_virtual(main())


def test_a_new_lane_starts_at_the_head_and_a_known_one_where_it_was() -> None:
    async def main() -> None:
        journal, sink = MemoryJournal(), ScriptedSink()
        fill(journal, 10)
        async with running(make_lane(sink, journal)) as lane:
            await lane.drain()
        assert sink.delivered == []
        later = [_append(journal, envelope(n)) for n in range(10, 20)]
        async with running(make_lane(sink, journal)) as lane:
            await lane.drain()
        assert sink.delivered == later

    run_virtual(main())


def test_a_failing_event_holds_back_its_own_subject_only_and_becomes_a_dead_letter() -> None:
    async def main() -> None:
        def answer(event: Envelope) -> Outcome:
            return Retry("http_500", "no") if event.id == "e3" else DELIVERED

        journal, sink = MemoryJournal(), ScriptedSink(answer)
        lane = make_lane(sink, journal, retry={"max_attempts": 3})
        async with running(lane):
            fill(journal, 50)
            await lane.drain()
            behind = {f"e{n}" for n in range(3, 50, 5)}
            assert set(sink.delivered) == {f"e{n}" for n in range(50)} - behind
            for n in range(50, 100):  # others must get through for an attempt to count
                _append(journal, envelope(n, "other"))
                await asyncio.sleep(60)
            await lane.drain()
        [letter] = journal.dead
        assert (letter.event_id, letter.reason, letter.attempts, letter.lane) == ("e3", "http_500", 3, "s")
        assert letter.last_failed_ms > letter.first_failed_ms > 0
        assert Counter(sink.attempted)["e3"] >= 3
        followers = [event for event in sink.delivered if event in behind]
        assert followers == [f"e{n}" for n in range(8, 50, 5)]
        assert not journal.parked["s"]

    run_virtual(main())


def test_an_outage_makes_no_dead_letters_however_it_shows() -> None:
    for outcome in (Retry("http_500"), Unavailable("down")):

        async def main(outcome: Outcome = outcome) -> None:
            down = True
            journal = MemoryJournal()
            sink = ScriptedSink(
                lambda _: outcome if down else DELIVERED, max_events=1, concurrency=8, keeps_order=False
            )
            lane = make_lane(sink, journal, retry={"max_attempts": 2, "max_age_seconds": 60})
            async with running(lane):
                ids = fill(journal, 2000, subjects=500)
                await asyncio.sleep(12 * HOUR)
                assert lane.state == "unavailable"
                assert len(sink.attempted) < 12 * 3600 / 10, "probes must be few"
                assert lane.reading().parked < 100, "a sick sink must not park its whole backlog"
                down = False
                await asyncio.sleep(600)
                await lane.drain()
            assert journal.dead == []
            assert sorted(sink.delivered) == sorted(ids)

        run_virtual(main())


def test_a_poisoned_event_that_looks_like_an_outage_is_found_by_probing_with_another_subject() -> None:
    async def main() -> None:
        def answer(event: Envelope) -> Outcome:
            return Unavailable("http_503") if event.id == "e7" else DELIVERED

        journal, sink = MemoryJournal(), ScriptedSink(answer, max_events=1, concurrency=4, keeps_order=False)
        lane = make_lane(sink, journal, retry={"max_attempts": 3, "max_seconds": 10})
        async with running(lane):
            for n in range(200):
                _append(journal, envelope(n, f"s{n % 5}"))
                await asyncio.sleep(5)
            await asyncio.sleep(60)
            await lane.drain()
        assert [letter.event_id for letter in journal.dead] == ["e7"]
        assert sorted(sink.delivered) == sorted(f"e{n}" for n in range(200) if n != 7)

    run_virtual(main())


def test_an_unavailable_scope_parks_its_events_and_slows_no_other() -> None:
    async def main() -> None:
        down = True

        def scope(event: Envelope) -> str:
            return event.subject or ""

        def answer(event: Envelope) -> Outcome:
            return Unavailable("not_authorised", scope="s1") if down and event.subject == "s1" else DELIVERED

        journal, sink = MemoryJournal(), ScriptedSink(answer, scope=scope)
        lane = make_lane(sink, journal)
        async with running(lane):
            fill(journal, 5000)
            await asyncio.sleep(20)
            assert len(sink.delivered) == 4000
            assert lane.state == "running"
            assert lane.reading().parked == 1000
            assert journal.cursors["s"] == (5000, [])
            down = False
            for n in range(5000, 5100):
                _append(journal, envelope(n, f"s{n % 5}"))
            await asyncio.sleep(60)
        mine = [event for event in sink.delivered if int(event[1:]) % 5 == 1]
        assert mine == [f"e{n}" for n in range(1, 5100, 5)]
        assert journal.dead == []

    run_virtual(main())


def test_rejected_is_dead_at_once() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        sink = ScriptedSink(lambda event: Rejected("http_400", "bad") if event.id == "e2" else DELIVERED)
        async with running(make_lane(sink, journal)) as lane:
            fill(journal, 10, subjects=1)
            await lane.drain()
        assert [(letter.event_id, letter.attempts) for letter in journal.dead] == [("e2", 1)]
        assert sink.delivered == [f"e{n}" for n in range(10) if n != 2]

    run_virtual(main())


def test_a_raise_is_found_by_delivering_singly() -> None:
    async def main() -> None:
        def answer(event: Envelope) -> Outcome:
            if event.id == "e2":
                raise RuntimeError("bug")
            return DELIVERED

        journal, sink = MemoryJournal(), ScriptedSink(answer)
        lane = make_lane(sink, journal, retry={"max_attempts": 2})
        async with running(lane):
            for n in range(100):
                _append(journal, envelope(n, f"s{n % 5}"))
            await asyncio.sleep(10)
            for n in range(100, 140):
                _append(journal, envelope(n, "s9"))
                await asyncio.sleep(30)
        assert [(letter.event_id, letter.reason) for letter in journal.dead] == [("e2", "raised")]
        assert set(sink.delivered) == {f"e{n}" for n in range(140) if n != 2}

    run_virtual(main())


def test_a_hanging_deliver_is_cut_off() -> None:
    async def main() -> None:
        hang = True
        journal = MemoryJournal()
        sink = ScriptedSink(seconds=lambda: 1e6 if hang else 0.01)
        lane = make_lane(sink, journal)
        async with running(lane):
            ids = fill(journal, 100)
            await asyncio.sleep(100)
            assert lane.state == "unavailable"
            hang = False
            await asyncio.sleep(100)
        assert sorted(sink.delivered) == sorted(ids)
        assert [event for event in sink.delivered if int(event[1:]) % 5 == 0] == ids[::5]

    run_virtual(main())


def test_a_sink_that_is_away_at_the_start_is_opened_later() -> None:
    async def main() -> None:
        journal, sink = MemoryJournal(), ScriptedSink()
        sink.refuse_open = 5
        lane = make_lane(sink, journal)
        async with running(lane):
            ids = fill(journal, 10)
            await asyncio.sleep(1)
            assert lane.state == "unavailable"
            assert lane.reading().lag_events == 10
            assert lane.reading().lag_seconds > 0
            await asyncio.sleep(120)
        assert sink.delivered == ids

    run_virtual(main())


def test_only_wanted_types_are_delivered_and_the_rest_is_settled() -> None:
    async def main() -> None:
        journal, sink = MemoryJournal(), ScriptedSink()
        lane = make_lane(sink, journal, events=["contact.*", "!contact.user.updated_v3"])
        async with running(lane):
            for n, type_ in enumerate(["contact.user.created_v3", "contact.user.updated_v3", "corehr.x"] * 10):
                _append(journal, envelope(n, "s", type_))
            await lane.drain()
        assert sink.delivered == [f"e{n}" for n in range(0, 30, 3)]
        assert journal.cursors["s"] == (30, [])

    run_virtual(main())


def test_retry_after_is_a_lower_bound_and_itself_bounded() -> None:
    async def main() -> None:
        times: list[float] = []

        def answer(event: Envelope) -> Outcome:
            if event.id != "e0":
                return DELIVERED
            times.append(asyncio.get_running_loop().time())
            outcomes: list[Outcome] = [Retry("x", after=20), Retry("x", after=9999), DELIVERED]
            return outcomes[len(times) - 1]

        journal, sink = MemoryJournal(), ScriptedSink(answer)
        lane = make_lane(sink, journal, retry={"max_seconds": 60})
        async with running(lane):
            fill(journal, 10)
            await asyncio.sleep(HOUR)
        assert 20 <= times[1] - times[0] < 21
        assert 60 <= times[2] - times[1] < 61

    run_virtual(main())


def test_time_that_passes_while_the_lane_looks_at_its_rate_holds_nothing_for_ever() -> None:
    """By the time it asks how long to wait, the next event may go: then nothing else comes to wake it."""

    async def main() -> None:
        journal, sink = MemoryJournal(), ScriptedSink(max_events=1)
        lane, readings = make_lane(sink, journal, rate=50), itertools.count()
        lane.outlet.rate = Rate(50, lambda: asyncio.get_running_loop().time() + 0.015 * next(readings))
        lane.outlet.rate.spend(50)
        async with running(lane):
            ids = fill(journal, 20)
            async with asyncio.timeout(60):
                await lane.drain()
        assert sink.delivered == ids

    run_virtual(main())
