"""Sinks that come, go, come back, and change their names or types: what the start makes of it."""

from router.dispatch.registration import Registration, about_sink, number_of, registration, renames, sink_of
from router.journal.contract import LaneNotes, LaneState
from sinks.settings import SinkSettings


def sink(type_: str = "http", **settings: str) -> SinkSettings:
    return SinkSettings.model_validate({"type": type_, **settings})


def state(name: str, type_: str = "http", absent_ms: int = 0) -> LaneState:
    about = about_sink(sink(type_)) if type_ else ""
    return LaneState(name, 10, [], 0, 0, LaneNotes(absent_ms=absent_ms, about=about))


def test_a_first_start_has_but_new_sinks() -> None:
    assert registration({"a": sink(), "b": sink()}, []) == Registration(new=["a", "b"])


def test_a_sink_taken_out_is_gone_with_its_replays_and_back_when_it_comes_again() -> None:
    known = [state("a"), state("b"), state("b/replay-3")]
    plan = registration({"a": sink()}, known)
    assert [s.name for s in plan.gone] == ["b", "b/replay-3"]
    assert (plan.new, plan.back) == ([], [])
    plan = registration(
        {"a": sink(), "b": sink()}, [state("a"), state("b", absent_ms=5), state("b/replay-3", absent_ms=5)]
    )
    assert [s.name for s in plan.back] == ["b", "b/replay-3"]
    assert [s.name for s in plan.replays] == ["b/replay-3"]


def test_a_new_sink_beside_an_absent_one_of_its_type_may_be_that_one() -> None:
    known = [state("old"), state("other", "kafka"), state("unknown", "")]
    plan = registration({"fresh": sink(), "files": sink("file", start="earliest")}, known)
    assert plan.suspects == [("fresh", ["old", "unknown"])]
    assert plan.new == ["fresh", "files"]


def test_another_type_under_the_same_name_is_told() -> None:
    plan = registration({"a": sink("file"), "b": sink()}, [state("a"), state("b", "")])
    assert [(s.name, before) for s, before in plan.retyped] == [("a", "http")]


def test_was_names_an_absent_sink_that_is_known() -> None:
    known = [state("old"), state("there")]
    sinks = {"new": sink(was="old"), "there": sink(was="new"), "other": sink(was="never_was")}
    assert renames(sinks, known) == [("old", "new")]
    assert renames({"new": sink(was="old"), "old": sink()}, known) == []


def test_replays_go_with_their_sink_also_when_it_has_gone_before() -> None:
    known = [state("old"), state("old/replay-2"), state("older/replay-3")]
    assert renames({"new": sink(was="old")}, known) == [("old", "new"), ("old/replay-2", "new/replay-2")]
    assert renames({"new": sink(was="older")}, known) == [("older/replay-3", "new/replay-3")]
    assert renames({"new": sink(was="old")}, [*known, state("new/replay-2")]) == [("old", "new")]


def test_a_replay_belongs_to_its_sink() -> None:
    assert (sink_of("iam/replay-12"), sink_of("iam")) == ("iam", "iam")
    assert (number_of("iam/replay-12"), number_of("iam")) == (12, 0)
