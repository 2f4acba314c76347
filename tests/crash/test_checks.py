"""The oracle's checks on made-up facts: a good run has nothing wrong, and each thing that goes wrong is seen."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.crash.oracle.checks import RSS_BYTES, broken
from tests.crash.oracle.facts import Arrival, Death, Facts, Letter, Push, Span
from tests.crash.oracle.plan import Fault, Plan, SinkPlan

SINKS = (
    SinkPlan("bus", "kafka", ("*",), "key", "structured"),
    SinkPlan("hook", "http", ("*",), "key", "structured"),
    SinkPlan("archive", "file", ("*",), "source", ""),
)
PLAN = Plan(1, 10, 10, 1, 1, ("corehr.department.updated_v2",), (), SINKS, (), "info", append_time=True)
"""One subject in two tenants, so that all events with even serials are of one order key."""


def good() -> Facts:
    """Twenty events, pushed one after another, each answered after 10 ms and at every sink 100 ms later."""
    facts = Facts(PLAN, 0.0, lambda begun, ended: 0.0, lambda begun, ended: 0.0)
    serials = range(1, 21)
    facts.pushes = [Push(serial, "event", serial, 0.01, 200, b"") for serial in serials]
    facts.kept.events = {10 * serial: serial for serial in serials}
    scopes = {"bus": "topic/0", "hook": "", "archive": "all.jsonl"}
    for sink, scope in scopes.items():
        facts.arrivals[sink] = [Arrival(serial, serial, scope, serial + 0.1) for serial in serials]
    facts.deaths = [Death(100, "drained", 0, since=0.5)]
    return facts


def arrive(facts: Facts, sink: str, serial: int, **changes: object) -> None:
    """One more arrival of the event, a second after the last."""
    last = facts.arrivals[sink][-1]
    again = Arrival(serial, last.order + 1, last.scope, (last.at or 0) + 1)
    for name, value in changes.items():
        setattr(again, name, value)
    facts.arrivals[sink].append(again)


def swap(facts: Facts, sink: str) -> None:
    arrivals = facts.arrivals[sink]
    arrivals[3].order, arrivals[5].order = arrivals[5].order, arrivals[3].order


def die(facts: Facts, death: Death, *spans: Span) -> None:
    facts.deaths.append(death)
    facts.spans += spans


def delay(facts: Facts, sink: str, seconds: float) -> None:
    for arrival in facts.arrivals[sink]:
        arrival.at = (arrival.at or 0) + seconds


def under(fault: Fault) -> Callable[[Facts], None]:
    return lambda facts: facts.deaths.__setitem__(0, replace(facts.deaths[0], injected=fault))


BREAKS: dict[str, tuple[str, Callable[[Facts], object]]] = {
    "an event answered 200 isn't stored": ("P1", lambda facts: facts.kept.events.pop(50)),
    "a failing sync isn't felt": ("P1", under(Fault(0, "sync", what="fdatasync:error=EIO", number=19))),
    "an event never came": ("P2", lambda facts: facts.arrivals["hook"].pop()),
    "an event came and was never taken": ("P2", lambda facts: setattr(facts.arrivals["hook"][4], "accepted", False)),
    "an event is changed": ("P2", lambda facts: setattr(facts.arrivals["bus"][4], "flaw", "another id")),
    "an event came from nowhere": ("P2", lambda facts: arrive(facts, "archive", 99)),
    "an event was stored that nobody pushed": ("P2", lambda facts: facts.kept.events.update({999: 99})),
    "a lane stopped half way": ("P2", lambda facts: facts.kept.unsettled.append("lane bus stands at 3")),
    "a forged push was taken": ("P2", lambda facts: facts.pushes.append(Push(50, "forged", 50, 0.01, 200, b""))),
    "a push that nobody understands is gone": (
        "P2",
        lambda facts: facts.pushes.append(Push(50, "misshapen", 50, 0.01, 200, b"")),
    ),
    "a good push was refused": ("P2", lambda facts: facts.pushes.append(Push(7, "copy", 50, 0.01, 401, b""))),
    "an event is dead for nothing": ("P2", lambda facts: facts.kept.letters.append(Letter("bus", 5, 50, b""))),
    "an event is stored twice": ("P3", lambda facts: facts.kept.events.update({999: 7})),
    "a subject is out of order": ("P4", lambda facts: swap(facts, "bus")),
    "a source is out of order": ("P4", lambda facts: swap(facts, "archive")),
    "a sink that nothing was done to is late": ("P5", lambda facts: delay(facts, "archive", 6)),
    "memory grew": ("P6", lambda facts: setattr(facts, "peak_rss", RSS_BYTES + 1)),
    "an answer came late": ("P7", lambda facts: facts.pushes.append(Push(7, "copy", 50, 3.2, 200, b""))),
    "a challenge was answered late": (
        "P7",
        lambda facts: facts.pushes.append(Push(50, "challenge", 50, 1.2, 200, b"")),
    ),
    "no answer came": ("P7", lambda facts: facts.pushes.append(Push(7, "copy", 50, 9.0, None, b""))),
    "a key is in the log": ("P8", lambda facts: facts.leaks.append("router.log")),
    "an event came twice": ("P9", lambda facts: arrive(facts, "hook", 20)),
    "the router ended by itself": ("all else", lambda facts: facts.troubles.append("it ended")),
}


def test_nothing_is_wrong_with_a_good_run() -> None:
    assert broken(good()) == []


@pytest.mark.parametrize("what", BREAKS)
def test_what_goes_wrong_is_seen(what: str) -> None:
    promise, go_wrong = BREAKS[what]
    facts = good()
    go_wrong(facts)
    assert any(words.startswith(promise) for words in broken(facts)), broken(facts)


EXCUSES: dict[str, tuple[str, Callable[[Facts], object]]] = {
    "killed before the lane could note it": ("archive", lambda facts: facts.deaths.append(Death(20.5, "kill", -9))),
    "killed long after, but the disk was full": (
        "archive",
        lambda facts: die(facts, Death(26, "kill", -9), Span(19, 26, "disk")),
    ),
    "its drain came to no end": (
        "hook",
        lambda facts: facts.deaths.append(Death(20.5, "drained", 0, frozenset({"hook"}))),
    ),
    "a broker was away": ("bus", lambda facts: facts.spans.append(Span(20, 21, "broker"))),
    "its answer was lost": ("hook", lambda facts: setattr(facts.arrivals["hook"][-1], "lost", True)),
    "it wasn't taken at first": ("hook", lambda facts: setattr(facts.arrivals["hook"][-1], "accepted", False)),
}


@pytest.mark.parametrize("why", EXCUSES)
def test_a_copy_may_come_with_a_reason(why: str) -> None:
    sink, excuse = EXCUSES[why]
    facts = good()
    excuse(facts)
    arrive(facts, sink, 20, at=30.0)
    assert broken(facts) == []


def test_a_paused_sink_may_be_late() -> None:
    facts = good()
    delay(facts, "archive", 30)
    facts.spans.append(Span(0, 40, "pause archive"))
    assert broken(facts) == []


@pytest.mark.parametrize("death", [Death(20.5, "drained", 0), Death(23.5, "kill", -9), Death(19.5, "kill", -9)])
def test_a_clean_end_and_a_late_or_early_kill_are_no_reason(death: Death) -> None:
    facts = good()
    facts.deaths.append(death)
    arrive(facts, "hook", 20, at=30.0)
    assert any(words.startswith("P9") for words in broken(facts))


def test_a_late_answer_is_forgiven_where_the_machine_was_away() -> None:
    facts = good()
    facts.pushes.append(Push(7, "copy", 50, 3.2, 200, b""))
    facts.longest = lambda begun, ended: 0.1
    assert broken(facts) == []
