"""What operators can do, put together. See `router.operations.contract.Operators`."""

from collections.abc import Callable, Sequence
from datetime import datetime

from router.dispatch.dispatcher import Dispatcher
from router.dispatch.order import ReplayOrder
from router.dispatch.replays import Replay
from router.dispatch.routes import wanted as wanted_by
from router.envelope import Envelope
from router.journal.contract import DeadLetter, Journal, LetterFilter, LetterGroup, LetterKey
from router.operations.contract import ConnectionRow, Count, ProgramRow, ReplayRow, SinkRow, Slice, UnknownError
from router.operations.letters import Letters
from router.operations.sinks import Sinks

COUNT_EVENTS = 1000
COUNT_BYTES = 4 << 20


class RouterOperators:
    """Works on the running router."""

    def __init__(
        self,
        journal: Journal,
        dispatcher: Dispatcher,
        letters: Letters,
        sinks: Sinks,
        connections: Callable[[], Sequence[ConnectionRow]],
        programs: Callable[[], Sequence[ProgramRow]],
    ) -> None:
        self._journal = journal
        self._dispatcher = dispatcher
        self._letters = letters
        self._sinks = sinks
        self._connections = connections
        self._programs = programs

    async def sinks(self) -> Sequence[SinkRow]:
        """See `Operators.sinks`."""
        return await self._sinks.rows()

    async def connections(self) -> Sequence[ConnectionRow]:
        """See `Operators.connections`."""
        return self._connections()

    async def programs(self) -> Sequence[ProgramRow]:
        """See `Operators.programs`."""
        return self._programs()

    async def pause(self, sink: str) -> None:
        """See `Operators.pause`."""
        await self._sinks.pause(sink, paused=True)

    async def resume(self, sink: str) -> None:
        """See `Operators.resume`."""
        await self._sinks.pause(sink, paused=False)

    async def forget(self, sink: str) -> None:
        """See `Operators.forget`."""
        await self._sinks.forget(sink)

    async def letters(self, wanted: LetterFilter, limit: int, after: LetterKey | None) -> Sequence[DeadLetter]:
        """See `Operators.letters`."""
        return await self._journal.dead_letters(wanted, limit, after)

    async def letter(self, number: int) -> DeadLetter:
        """See `Operators.letter`."""
        found = await self._journal.dead_letters(LetterFilter(ids=(number,)), 1)
        if not found:
            raise UnknownError(f"there is no dead letter {number}: replayed or purged, or never there")
        return found[0]

    async def count_letters(self, wanted: LetterFilter) -> Sequence[LetterGroup]:
        """See `Operators.count_letters`."""
        return await self._journal.count_letters(wanted)

    async def replay_letters(self, wanted: LetterFilter, limit: int, after: LetterKey | None) -> Slice:
        """See `Operators.replay_letters`."""
        return await self._letters.replay(wanted, limit, after)

    async def purge_letters(self, wanted: LetterFilter, limit: int, after: LetterKey | None) -> Slice:
        """See `Operators.purge_letters`."""
        return await self._letters.purge(wanted, limit, after)

    async def replay(self, order: ReplayOrder) -> ReplayRow:
        """See `Operators.replay`."""
        self._check(order)
        return _row(await self._dispatcher.replays.begin(order))

    async def count_replay(self, order: ReplayOrder, after: int | None) -> Count:
        """See `Operators.count_replay`."""
        wants = self._check(order)
        first, last = await self._dispatcher.replays.span(order)
        records = await self._journal.read(max(first, after or 0), COUNT_EVENTS, COUNT_BYTES)
        times = [e.recordedtime for position, e in records if position <= last and wants(e)]
        end = not records or records[-1].position >= last
        return Count(
            len(times),
            _ms(times[0]) if times else None,
            _ms(times[-1]) if times else None,
            None if end else records[-1].position,
            last,
        )

    async def replays(self) -> Sequence[ReplayRow]:
        """See `Operators.replays`."""
        return [_row(replay) for replay in self._dispatcher.replays.all()]

    async def stop_replay(self, number: int) -> ReplayRow:
        """See `Operators.stop_replay`."""
        replay = self._dispatcher.replays.get(number)
        if replay is None:
            raise UnknownError(f"there is no replay {number}")
        await self._dispatcher.replays.end(replay)
        return _row(replay)

    def _check(self, order: ReplayOrder) -> Callable[[Envelope], bool]:
        """What the order wants. Raises UnknownError for a sink that isn't there."""
        outlet = self._dispatcher.outlets.get(order.sink)
        if outlet is None:
            raise UnknownError(f"there is no sink {order.sink}; there are {', '.join(self._dispatcher.outlets)}")
        wants = wanted_by(order.types, order.apps, order.tenants, order.subjects)
        return lambda envelope: outlet.routes.wants(envelope) and wants(envelope)


def _row(replay: Replay) -> ReplayRow:
    reading = replay.lane.reading()
    return ReplayRow(
        id=replay.number,
        order=replay.order,
        state="ended" if replay.ended else reading.state,
        first=replay.first + 1,
        last=replay.last,
        position=reading.position,
        delivered=reading.delivered,
        parked=reading.parked,
    )


def _ms(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1000)
