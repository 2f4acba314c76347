"""All lanes of the router: one for each sink of the settings, where the journal left it, and the replays beside them."""

from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from router.dispatch.lane import Lane, Reading
from router.dispatch.outlet import Outlet
from router.dispatch.parts import Parts
from router.dispatch.registration import Registration, about_sink, registration, renames
from router.dispatch.replays import Replays
from router.dispatch.routes import letters_of
from router.envelope import Envelope
from router.journal.contract import JournalError, LaneState
from router.telemetry import facts
from sinks.contract import Sink
from sinks.settings import SinkSettings


class Dispatcher:
    """Built from the sinks; `register` before `workers`."""

    def __init__(self, sinks: Mapping[str, Sink], settings: Mapping[str, SinkSettings], parts: Parts) -> None:
        self._settings = settings
        self._parts = parts
        self.outlets = {
            name: Outlet(name, sink, settings[name], parts, letters_of(name, settings)) for name, sink in sinks.items()
        }
        self.lanes = {name: Lane(outlet, parts) for name, outlet in self.outlets.items()}
        self.replays = Replays(self.outlets, parts)

    def wanted(self, envelope: Envelope) -> bool:
        """Whether any sink wants it."""
        return any(outlet.routes.wants(envelope) for outlet in self.outlets.values())

    def readings(self) -> Sequence[tuple[str, Reading]]:
        """Each lane's reading, by the sink's name; replays are not among them."""
        return [(name, lane.reading()) for name, lane in self.lanes.items()]

    def workers(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """What must run, with names."""
        for name, lane in self.lanes.items():
            yield f"lane {name}", lane.run()
        yield "replays", self.replays.run()

    def drain(self) -> list[Lane]:
        """Replays begin nothing more; gives all lanes, so that each can be waited for."""
        for outlet in self.outlets.values():
            outlet.draining = True
            outlet.wake()
        return [*self.lanes.values(), *(replay.lane for replay in self.replays.all() if not replay.ended)]

    async def register(self) -> None:
        """Find each sink's place in the journal, and tell what has changed since the last run. Raises JournalError."""
        journal = self._parts.journal
        for old, new in renames(self._settings, await journal.lanes()):
            await self._rename(old, new)
        plan = registration(self._settings, await journal.lanes())
        await self._note(plan)
        for name in plan.new:
            await self._begin(name)
        for state in await journal.lanes():
            if state.name in self.outlets:
                self.outlets[state.name].paused = state.notes.paused
        for lane in self.lanes.values():
            await lane.register()
        await self.replays.restore([*plan.gone, *plan.replays])

    async def _rename(self, old: str, new: str) -> None:
        try:
            await self._parts.journal.rename(old, new)
        except JournalError as error:
            self._emit(facts.LANE_SUSPECT, sink=new, was=old, problem=str(error))
        else:
            self._emit(facts.LANE_RENAMED, sink=new, was=old)

    async def _note(self, plan: Registration) -> None:
        journal, now_ms = self._parts.journal, int(self._parts.clock.wall() * 1000)
        for name, alike in plan.suspects:
            hint = f"if {name} is a new name for it, set FER_SINK__{name.upper()}__WAS and restart"
            self._emit(facts.LANE_SUSPECT, sink=name, absent=alike, problem=hint)
        for state, before in plan.retyped:
            type_ = self._settings[state.name].type
            self._emit(facts.LANE_RETYPED, sink=state.name, before=before, now=type_, position=state.position)
        for state in plan.back:
            if missed := await self._missed(state):
                self._emit(facts.LANE_GAP, missed, sink=state.name, events=missed)
        for state in plan.gone:
            behind = journal.head - state.position
            self._emit(facts.LANE_ORPHANED, sink=state.name, events=behind, parked=state.parked)
            if not state.notes.absent_ms:
                await journal.note(state.name, replace(state.notes, absent_ms=now_ms))
        for state in {state.name: state for state in [*plan.back, *(state for state, _ in plan.retyped)]}.values():
            await journal.note(state.name, self._present(state))
        for state in await journal.lanes():
            if state.name in self._settings and not state.notes.about:
                await journal.note(state.name, self._present(state))

    def _present(self, state: LaneState) -> Any:
        settings = self._settings.get(state.name)
        about = state.notes.about if settings is None else about_sink(settings)
        return replace(state.notes, absent_ms=0, about=about)

    async def _missed(self, state: LaneState) -> int:
        """How many events it had not settled are gone, at least: those before the first one that is still there."""
        journal = self._parts.journal
        first: Sequence[Any] = await journal.read(state.position, 1, 1)
        end = first[0].position if first else journal.head + 1
        gone = end - state.position - 1
        return max(0, gone - sum(min(last, end - 1) - first + 1 for first, last in state.settled if first < end))

    async def _begin(self, name: str) -> None:
        journal, settings = self._parts.journal, self._settings[name]
        position = journal.head
        if settings.start == "earliest":
            position = await journal.position_at(0)
        elif settings.start != "now":
            position = await journal.position_at(int(datetime.fromisoformat(settings.start).timestamp() * 1000))
        await journal.register(name, position, about_sink(settings))
        self._emit(facts.LANE_ADDED, sink=name, start=settings.start, position=position, behind=journal.head - position)

    def _emit(self, fact: facts.Fact, count: int = 1, **fields: Any) -> None:
        self._parts.telemetry.emit(fact, count, **fields)
