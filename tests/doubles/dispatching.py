"""Everything behind the intake, over a real journal: dispatcher and operators with scripted sinks, restarts included."""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from router.clock import Clock, SystemClock
from router.dispatch.dispatcher import Dispatcher
from router.dispatch.parts import Parts
from router.envelope import Envelope
from router.feishu.keys import Keyring
from router.journal.contract import DeadLetter, LetterFilter, Verdict
from router.journal.sqlite import SqliteJournal
from router.operations.letters import Letters
from router.operations.operators import RouterOperators
from router.operations.sinks import Sinks
from router.settings.model import DispatchSettings
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger
from sinks.contract import Sink
from sinks.settings import SinkSettings
from tests.doubles.events import envelope
from tests.doubles.pushes import KEY, TOKEN
from tests.journal.books import make_journal

QUICK = {"initial_seconds": 0.01, "max_seconds": 0.05}
KEYRING = Keyring([KEY], [TOKEN])


class MovedClock(SystemClock):
    """Its wall clock is moved by hand: `now`, Unix seconds."""

    def __init__(self) -> None:
        self.now = 1_769_903_998.0

    def wall(self) -> float:
        return self.now


class Dispatching:
    """One run of it. log: the lines of facts, parsed."""

    everything = LetterFilter()

    def __init__(
        self, folder: Path, sinks: Mapping[str, tuple[Sink, Mapping[str, Any]]], clock: Clock | None = None
    ) -> None:
        self._log = io.StringIO()
        clock = clock or SystemClock()
        self.telemetry = Telemetry(make_logger("info", "json", self._log))
        self.journal: SqliteJournal = make_journal(folder, clock, log=self.telemetry)
        settings = {
            name: SinkSettings.model_validate({"type": "memory", "retry": QUICK, **given})
            for name, (_, given) in sinks.items()
        }
        parts = Parts(self.journal, DispatchSettings(), self.telemetry, clock)
        self.dispatcher = Dispatcher({name: sink for name, (sink, _) in sinks.items()}, settings, parts)
        letters = Letters(self.journal, self.dispatcher, {"": KEYRING}.get, self.telemetry, clock)
        seen = Sinks(self.journal, self.dispatcher, self.telemetry)
        self.operators = RouterOperators(self.journal, self.dispatcher, letters, seen, list, list)

    async def store(self, *events: Envelope) -> None:
        assert set(await asyncio.gather(*map(self.journal.append, events))) == {Verdict.STORED}

    async def fill(self, numbers: range, subjects: int = 5) -> list[str]:
        await self.store(*[envelope(n, f"s{n % subjects}") for n in numbers])
        return [f"e{n}" for n in numbers]

    async def settled(self, *names: str, patience: float = 20.0) -> None:
        """Wait until these lanes (all) have nothing left, and the journal knows."""
        async with asyncio.timeout(patience):
            while not await self._settled(names or tuple(self.dispatcher.lanes)):  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(0.005)

    async def _settled(self, names: tuple[str, ...]) -> bool:
        states = {state.name: state for state in await self.journal.lanes()}
        return all(states[name].position == self.journal.head and not states[name].parked for name in names)

    async def letters(self, *lanes: str) -> list[DeadLetter]:
        return list(await self.journal.dead_letters(LetterFilter(lanes=lanes), 10_000))

    def said(self, fact: str) -> list[dict[str, Any]]:
        lines = map(orjson.loads, self._log.getvalue().splitlines())
        return [line for line in lines if line["event"] == fact]


@asynccontextmanager
async def dispatching(
    folder: Path, clock: Clock | None = None, **sinks: tuple[Sink, Mapping[str, Any]] | Sink
) -> AsyncIterator[Dispatching]:
    """Run it. sinks: by name, each a sink or one with its settings."""
    given = {name: sink if isinstance(sink, tuple) else (sink, {}) for name, sink in sinks.items()}
    running = Dispatching(folder, given, clock)
    await running.journal.open()
    tasks: list[asyncio.Task[None]] = []
    try:
        await running.dispatcher.register()
        tasks = [asyncio.create_task(work, name=name) for name, work in running.dispatcher.workers()]
        yield running
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await running.journal.close()
