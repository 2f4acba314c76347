"""What the settings' sinks and the cursors that the journal knows have to do with each other. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from router.journal.contract import LaneState
from sinks.settings import SinkSettings

REPLAY = "/replay-"
"""Between a sink's name and a number: the cursor of a replay. No sink's name has a slash."""


@dataclass(slots=True)
class Registration:
    """What is to be done and told at the start. Sinks by name, states as the journal has them.

    renamed: (old name, new name); new: sinks without a cursor; suspects: new ones with the absent sinks of their type, one
    of which they may have been; retyped: (sink, its type before); back: were absent; gone: are absent now, replays of
    theirs included; replays: of sinks that are there.
    """

    renamed: list[tuple[str, str]] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    suspects: list[tuple[str, list[str]]] = field(default_factory=list)
    retyped: list[tuple[LaneState, str]] = field(default_factory=list)
    back: list[LaneState] = field(default_factory=list)
    gone: list[LaneState] = field(default_factory=list)
    replays: list[LaneState] = field(default_factory=list)


def renames(sinks: Mapping[str, SinkSettings], states: Iterable[LaneState]) -> list[tuple[str, str]]:
    """Cursors that go on under another name: WAS names one that no sink of the settings has. So do replays of that sink."""
    known = {state.name for state in states}
    heirs = {settings.was: name for name, settings in sinks.items() if settings.was and settings.was not in sinks}
    moves = [(lane, heirs[old] + lane.removeprefix(old)) for lane in known if (old := sink_of(lane)) in heirs]
    return sorted((lane, to) for lane, to in moves if REPLAY not in lane or to not in known)


def registration(sinks: Mapping[str, SinkSettings], states: Sequence[LaneState]) -> Registration:
    """Compare, after the renaming."""
    plan = Registration()
    known = {state.name for state in states}
    plan.new = [name for name in sinks if name not in known]
    for state in states:
        there = sink_of(state.name) in sinks
        if not there:
            plan.gone.append(state)
        elif REPLAY in state.name:
            plan.replays.append(state)
        before = type_of(state)
        if there and state.notes.absent_ms:
            plan.back.append(state)
        if state.name in sinks and before and before != sinks[state.name].type:
            plan.retyped.append((state, before))
    absent = {state.name: type_of(state) for state in plan.gone if REPLAY not in state.name}
    for name in plan.new:
        alike = [old for old, type_ in absent.items() if type_ in ("", sinks[name].type)]
        if alike and sinks[name].start == "now":
            plan.suspects.append((name, alike))
    return plan


def sink_of(lane: str) -> str:
    """The sink that a cursor belongs to."""
    return lane.partition(REPLAY)[0]


def number_of(lane: str) -> int:
    """The number of a replay by its cursor's name; 0 for one of no replay."""
    return int(lane.partition(REPLAY)[2] or 0)


def about_sink(settings: SinkSettings) -> str:
    """What the journal is to remember of a sink's cursor."""
    return orjson.dumps({"type": settings.type}).decode()


def type_of(state: LaneState) -> str:
    """The sink's type when it ran last, "" when it isn't known."""
    return str(orjson.loads(state.notes.about).get("type", "")) if state.notes.about else ""
