"""Sinks as operators see them: listed, paused, resumed, forgotten."""

from collections.abc import Sequence
from dataclasses import replace

from router.dispatch.dispatcher import Dispatcher
from router.dispatch.lane import Lane
from router.dispatch.registration import REPLAY, sink_of, type_of
from router.journal.contract import Journal, LaneState
from router.operations.contract import ConflictError, SinkRow, UnknownError
from router.telemetry import Telemetry, facts


class Sinks:
    """The sinks of the settings, and those that the journal still knows."""

    def __init__(self, journal: Journal, dispatcher: Dispatcher, telemetry: Telemetry) -> None:
        self._journal = journal
        self._dispatcher = dispatcher
        self._telemetry = telemetry

    async def rows(self) -> Sequence[SinkRow]:
        """See `Operators.sinks`."""
        dead = self._journal.meta().dead
        present = [self._row(name, lane, dead.get(name, 0)) for name, lane in self._dispatcher.lanes.items()]
        return [
            *present,
            *[absent_row(state, self._journal.head, dead.get(state.name, 0)) for state in await self._absent()],
        ]

    async def pause(self, name: str, *, paused: bool) -> None:
        """Begin or end a pause, durably first. Raises UnknownError."""
        if name not in self._dispatcher.outlets:
            raise UnknownError(self._unknown(name, [state.name for state in await self._absent()]))
        state = next(state for state in await self._journal.lanes() if state.name == name)
        await self._journal.note(name, replace(state.notes, paused=paused))
        outlet = self._dispatcher.outlets[name]
        if outlet.paused != paused:
            outlet.paused = paused
            outlet.wake()
            state_now = "paused" if paused else self._dispatcher.lanes[name].state
            self._telemetry.emit(facts.LANE_STATE, sink=name, state=state_now, reason="operator", detail="")

    async def forget(self, name: str) -> None:
        """See `Operators.forget`."""
        if name in self._dispatcher.outlets:
            raise ConflictError(f"{name} is in the settings: take it out of FER_SINKS and restart, then forget it")
        if name not in [state.name for state in await self._absent()]:
            raise UnknownError(self._unknown(name, [state.name for state in await self._absent()]))
        for state in await self._journal.lanes():
            if sink_of(state.name) == name:
                await self._journal.forget(state.name)
                self._telemetry.emit(facts.LANE_FORGOTTEN, sink=state.name, parked=state.parked)

    async def _absent(self) -> list[LaneState]:
        states = [state for state in await self._journal.lanes() if REPLAY not in state.name]
        return sorted((s for s in states if s.name not in self._dispatcher.outlets), key=lambda state: state.name)

    def _unknown(self, name: str, absent: Sequence[str]) -> str:
        return f"there is no sink {name}; there are {', '.join([*self._dispatcher.outlets, *absent]) or 'none'}"

    def _row(self, name: str, lane: Lane, dead: int) -> SinkRow:
        reading = lane.reading()
        return SinkRow(
            name=name,
            type=lane.outlet.settings.type,
            state=reading.state,
            breaker=reading.breaker,
            reason=reading.reason if reading.state == "unavailable" else "",
            position=reading.position,
            lag_events=reading.lag_events,
            lag_seconds=reading.lag_seconds,
            parked=reading.parked,
            dead_letters=dead,
        )


def absent_row(state: LaneState, head: int, dead: int) -> SinkRow:
    """A sink that no settings are there for, or that no router is running for."""
    return SinkRow(
        name=state.name,
        type=type_of(state),
        state="absent",
        breaker="closed",
        reason="",
        position=state.position,
        lag_events=head - state.position,
        lag_seconds=0.0,
        parked=state.parked,
        dead_letters=dead,
        absent_ms=state.notes.absent_ms,
    )
