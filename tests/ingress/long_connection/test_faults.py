"""Everything that Feishu or the network can do wrong, by the stand-in: nothing is lost, and each event is stored once."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from router.feishu.discovery import ClientConfig
from router.ingress.intake import Intake
from router.ingress.load import Load
from router.ingress.long_connection import dialer
from router.ingress.long_connection.client import LongConnections
from router.journal.contract import JournalFullError
from router.settings.model import IngressSettings, Settings
from router.simulator import damage
from router.simulator.faults import FAULTS, Moment
from router.simulator.simulator import APP_ID, APP_SECRET, Behaviour, Simulator
from tests.doubles.commanded_journal import CommandedJournal
from tests.doubles.hurried import HurriedClock
from tests.doubles.waiting import until
from tests.ingress.long_connection.worlds import Observed, app, document

TIMES = 200.0
CONFIG = ClientConfig(-1, 2.0, 1.0, 60.0)


def faults_at(*moments: Moment) -> list[str]:
    return [name for name, (moment, _) in FAULTS.items() if moment in moments]


class Router(Observed):
    """Its ingress: connections, intake, journal."""

    def __init__(self, feishu: Simulator, journal: CommandedJournal, **ingress: Any) -> None:
        super().__init__(HurriedClock(TIMES))
        self.journal = journal
        intake = Intake(journal, self.telemetry, self.tools.clock, Load(1000, 64 << 20))
        apps = {"hr": app(feishu.domain, app_id=APP_ID, app_secret=APP_SECRET)}
        settings = Settings(apps=apps, ingress=IngressSettings(**ingress))
        self.long = LongConnections(settings, intake, self.telemetry, self.tools.clock)
        self.task = asyncio.create_task(self.long.run())

    async def up(self, patience: float = 60.0) -> None:
        await until(lambda: [row.state for row in self.long.rows()] == ["connected"] * 2, patience)

    async def end(self) -> None:
        assert await self.long.stop(10.0) == 0
        self.task.cancel()
        await asyncio.wait([self.task])
        await self.long.close()
        assert self.task.cancelled(), "a worker died"
        assert not self.said("worker_crashed")
        assert APP_SECRET not in self.log.getvalue()


@asynccontextmanager
async def feishu(seed: int = 0, answer_seconds: float = 1.0, **behaviour: Any) -> AsyncIterator[Simulator]:
    how = Behaviour(seed, compress=1000.0, answer_seconds=answer_seconds, config=CONFIG, **behaviour)
    async with Simulator(behaviour=how) as simulator:
        yield simulator


@asynccontextmanager
async def router(feishu: Simulator, **ingress: Any) -> AsyncIterator[Router]:
    made = Router(feishu, CommandedJournal(), **ingress)
    try:
        yield made
    finally:
        await made.end()


def documents(numbers: Iterable[int]) -> list[dict[str, Any]]:
    return [document(number) for number in numbers]


async def settled(feishu: Simulator) -> None:
    async with asyncio.timeout(60):
        await feishu.settled()


def stored(journal: CommandedJournal) -> list[str]:
    return sorted(event.id for event in journal.events)


def named(numbers: Iterable[int]) -> list[str]:
    return sorted(f"e{number}" for number in numbers)


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_happens_to_frames(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage, "SILENT_SECONDS", 0.5)  # until then it goes on giving events to who is long gone
    async with feishu(seed, answer_seconds=0.5, duplicates=0.2) as sim, router(sim) as it:
        await it.up()
        for name in faults_at(Moment.FRAME):
            sim.faults.order(name)
        for name in faults_at(Moment.FRAME):
            sim.faults.share(name, 0.01)
        for each in documents(range(150)):
            await until(lambda: any(line.open for line in sim.long.everyone()) and sim.under_way < 20, 30)
            sim.push(each)
            await asyncio.sleep(0)  # faults show their effect
        sim.faults.heal()
        await settled(sim)
        report = sim.report()
        assert report.lost == 0
        assert report.faults.keys() >= set(faults_at(Moment.FRAME))
        assert stored(it.journal) == named(range(150))
        assert not it.journal.letters


async def test_whatever_happens_to_discovery_and_handshake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialer, "ASK_SECONDS", 0.2)
    async with feishu() as sim:
        for name in faults_at(Moment.DISCOVERY, Moment.HANDSHAKE):
            sim.faults.order(name)
        async with router(sim) as it:
            await it.up()
            await sim.run(documents(range(20)))
            await settled(sim)
            assert stored(it.journal) == named(range(20))
            assert set(sim.report().faults) == set(faults_at(Moment.DISCOVERY, Moment.HANDSHAKE))
            verdicts = {line["verdict"] for line in it.said("long_connection_refused")}
            assert verdicts == {"fatal", "slowly"}


async def test_whatever_happens_to_pongs() -> None:
    async with feishu(3) as sim, router(sim) as it:
        await it.up()
        for name in faults_at(Moment.PONG):
            sim.faults.share(name, 0.2)
        for number in range(60):
            sim.push(document(number))
            await asyncio.sleep(0.03)
        await until(lambda: set(sim.report().faults) == set(faults_at(Moment.PONG)), 30)
        sim.faults.heal()
        await settled(sim)
        assert stored(it.journal) == named(range(60))


async def test_a_full_journal_is_answered_500_and_the_event_comes_again() -> None:
    async with feishu() as sim, router(sim) as it:
        await it.up()
        it.journal.refuse = JournalFullError("copy")
        await sim.run(documents(range(20)))
        await until(lambda: sim.report().answers.get("long_connection", {}).get("500", 0) >= 20)
        it.journal.refuse = None
        await settled(sim)
        assert stored(it.journal) == named(range(20))
        assert sim.report().lost == 0


async def test_a_journal_that_hangs_is_answered_500_in_time_and_stores_once() -> None:
    async with feishu(answer_seconds=3.0) as sim, router(sim, budget_seconds=0.1) as it:
        await it.up()
        it.journal.auto = False
        await sim.run(documents(range(20)))
        await until(lambda: sim.report().answers.get("long_connection", {}).get("500", 0) >= 20)
        it.journal.auto = True
        it.journal.commit()
        await settled(sim)
        assert stored(it.journal) == named(range(20))
        assert sim.report().late == 0


async def test_a_router_that_is_replaced_in_the_middle_loses_nothing() -> None:
    async with feishu() as sim, router(sim) as old:
        await old.up()
        pushing = asyncio.create_task(sim.run(documents(range(600)), rate=1000, at_once=40))
        await until(lambda: len(old.journal.events) > 100)
        async with router(sim) as new:
            await new.up()
            await old.end()
            await pushing
            await settled(sim)
            assert sim.report().lost == 0
            assert {event.id for event in (*old.journal.events, *new.journal.events)} == set(named(range(600)))
            assert new.journal.events
            assert sorted(stored(old.journal)) == sorted(set(stored(old.journal)))


async def test_nothing_is_acknowledged_that_is_not_stored() -> None:
    async with feishu(answer_seconds=2.0) as sim, router(sim) as it:
        await it.up()
        it.journal.auto = False
        records = [sim.push(each) for each in documents(range(10))]
        await it.journal.wait_appended(10)
        assert {record.state.value for record in records} == {"waiting"}
        ending = asyncio.create_task(it.long.stop(10.0))
        await asyncio.sleep(0)
        it.journal.commit()
        assert await ending == 0
        assert {record.state.value for record in records} == {"accepted"}
        assert stored(it.journal) == named(range(10))
