"""Sinks that come, go, come back, are renamed and retyped, over the real journal."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from router.journal.contract import LaneNotes
from sinks.contract import DELIVERED, Rejected, Retry, Unavailable
from tests.doubles.dispatching import MovedClock, dispatching
from tests.doubles.scripted import ScriptedSink
from tests.doubles.waiting import until

DAY = 86400.0


async def test_a_new_sink_begins_where_start_says(tmp_path: Path) -> None:
    clock = MovedClock()
    async with dispatching(tmp_path, clock) as running:
        await running.fill(range(10))
        clock.now += 3600
        between = datetime.fromtimestamp(clock.now, UTC).isoformat()
        clock.now += 60
        await running.fill(range(10, 20))
    sinks = {"now": ScriptedSink(), "earliest": ScriptedSink(), "later": ScriptedSink()}
    given: dict[str, Any] = {
        "now": (sinks["now"], {}),
        "earliest": (sinks["earliest"], {"start": "earliest"}),
        "later": (sinks["later"], {"start": between}),
    }
    async with dispatching(tmp_path, clock, **given) as running:
        await running.fill(range(20, 25))
        await running.settled()
        assert {line["sink"]: line["behind"] for line in running.said("lane_added")} == {
            "now": 0,
            "earliest": 20,
            "later": 10,
        }
    assert {name: len(sink.delivered) for name, sink in sinks.items()} == {"now": 5, "earliest": 25, "later": 15}
    async with dispatching(tmp_path, clock, **given) as running:  # START counts once
        await running.settled()
        assert not running.said("lane_added")
    assert len(sinks["earliest"].delivered) == 25


async def test_a_renamed_sink_goes_on_with_all_it_had(tmp_path: Path) -> None:
    down = True
    sink = ScriptedSink(
        lambda event: (
            Rejected("bad") if event.id == "e1" else Retry("no") if down and event.subject == "s2" else DELIVERED
        )
    )
    slow = {"retry": {"initial_seconds": 30, "max_seconds": 30}}
    async with dispatching(tmp_path, old=(sink, slow)) as running:
        await running.fill(range(10))
        await until(lambda: len(sink.delivered) == 7)
    down = False
    async with dispatching(tmp_path, new=(sink, {"was": "old"})) as running:
        assert [(line["was"], line["sink"]) for line in running.said("lane_renamed")] == [("old", "new")]
        await running.settled()
        assert len(set(sink.delivered)) == 9
        assert [letter.lane for letter in await running.letters()] == ["new"]
    async with dispatching(tmp_path, new=(sink, {"was": "old"})) as running:
        assert not running.said("lane_renamed")
        assert not running.said("lane_suspect")


async def test_a_rename_told_late_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    away, sink = ScriptedSink(lambda _: Unavailable("x")), ScriptedSink()
    async with dispatching(tmp_path, old=away) as running:
        first = await running.fill(range(10))
    async with dispatching(tmp_path, new=sink) as running:
        assert [line["absent"] for line in running.said("lane_suspect")] == [["old"]]
        second = await running.fill(range(10, 20))
        await running.settled()
    assert sink.delivered == second
    async with dispatching(tmp_path, new=(sink, {"was": "old"})) as running:
        await running.settled()
    assert sink.delivered == second + first


async def test_a_retyped_sink_goes_on_and_is_told(tmp_path: Path) -> None:
    async with dispatching(tmp_path, bus=(ScriptedSink(lambda _: Unavailable("x")), {"type": "memory"})) as running:
        ids = await running.fill(range(5))
    sink = ScriptedSink()
    async with dispatching(tmp_path, bus=(sink, {"type": "file"})) as running:
        assert [(line["before"], line["now"]) for line in running.said("lane_retyped")] == [("memory", "file")]
        await running.settled()
    assert sink.delivered == ids
    async with dispatching(tmp_path, bus=(sink, {"type": "file"})) as running:
        assert not running.said("lane_retyped")


async def test_a_sink_that_was_absent_goes_on_where_it_was(tmp_path: Path) -> None:
    sink = ScriptedSink()
    async with dispatching(tmp_path, bus=sink) as running:
        await running.fill(range(5))
        await running.settled()
    async with dispatching(tmp_path) as running:
        await running.fill(range(5, 10))
        [state] = await running.journal.lanes()
        assert state.notes.absent_ms > 0
    async with dispatching(tmp_path, bus=sink) as running:
        await running.settled()
        [state] = await running.journal.lanes()
        assert state.notes.absent_ms == 0
        assert not running.said("lane_gap")
    assert sink.delivered == [f"e{n}" for n in range(10)]


async def test_one_that_was_absent_for_too_long_says_what_it_missed(tmp_path: Path) -> None:
    clock, sink = MovedClock(), ScriptedSink()
    async with dispatching(tmp_path, clock, bus=sink) as running:
        await running.fill(range(5))
        await running.settled()
    async with dispatching(tmp_path, clock) as running:
        await running.fill(range(5, 10))
    clock.now += 15 * DAY
    async with dispatching(tmp_path, clock) as running:
        await running.fill(range(10, 12))  # a commit, in which retention does its work
        await running.fill(range(12, 13))
    async with dispatching(tmp_path, clock, bus=sink) as running:
        assert [line["events"] for line in running.said("lane_gap")] == [5]
        await running.settled()
    assert sink.delivered == [f"e{n}" for n in (*range(5), 10, 11, 12)]


async def test_a_journal_of_an_older_router_learns_the_types(tmp_path: Path) -> None:
    async with dispatching(tmp_path, bus=ScriptedSink()) as running:
        await running.journal.note("bus", LaneNotes())
    async with dispatching(tmp_path, bus=(ScriptedSink(), {"type": "file"})) as running:
        assert not running.said("lane_retyped")
        [state] = await running.journal.lanes()
        assert state.notes.about == '{"type":"file"}'


async def test_copies_of_dead_letters_go_to_the_sink_named_for_them_and_only_there(tmp_path: Path) -> None:
    iam = ScriptedSink(lambda event: Rejected("http_400", "no") if event.id in ("e2", "e7") else DELIVERED)
    grave, other = ScriptedSink(), ScriptedSink()
    given: dict[str, Any] = {"iam": (iam, {"dead_letters": "grave"}), "grave": grave, "other": other}
    async with dispatching(tmp_path, **given) as running:
        await running.fill(range(10))
        await running.settled("iam", "other")
        await running.settled("grave")
        assert len(await running.letters()) == 2
    assert grave.delivered == ["e2", "e7"]
    assert len(other.delivered) == 10
    async with dispatching(tmp_path, **given) as running:  # a second death makes a second copy
        await running.operators.replay_letters(running.everything, 100, None)
        await running.settled("iam")
        await running.settled("grave")
    assert sorted(grave.delivered) == ["e2", "e2", "e7", "e7"]
    assert len(other.delivered) == 10
