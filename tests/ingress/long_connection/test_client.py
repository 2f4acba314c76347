"""All apps together, with the real intake behind them."""

import asyncio

from router.ingress.intake import Intake
from router.ingress.load import Load
from router.ingress.long_connection.client import LongConnections
from router.settings.model import AppSettings, Settings
from tests.doubles.commanded_journal import CommandedJournal
from tests.doubles.peer import peer
from tests.doubles.waiting import until
from tests.ingress.long_connection.worlds import Observed, app, code, frame


async def test_apps_that_come_this_way_and_no_others() -> None:
    seen = Observed()
    journal = CommandedJournal()
    intake = Intake(journal, seen.telemetry, seen.tools.clock, Load(100, 1 << 20))
    async with peer() as hr, peer() as it:
        apps = {"hr": app(hr.domain, connections=1), "it": app(it.domain, connections=1), "web": AppSettings()}
        long = LongConnections(Settings(apps=apps), intake, seen.telemetry, seen.tools.clock)
        assert long.apps == ["hr", "it"]
        assert long.rows() == []
        task = asyncio.create_task(long.run())
        await until(lambda: [row.state for row in long.rows()] == ["connected", "connected"])
        assert [row.app for row in long.rows()] == ["hr", "it"]
        line = it.lines[0]
        await line.send(frame(1))
        assert code(await line.next(2)) == 200
        assert seen.count("received", app="it") == 1
        await long.use("web", AppSettings())
        await long.use("it", apps["it"])
        assert await long.stop(5.0) == 0
        assert [row.state for row in long.rows()] == ["stopped", "stopped"]
        task.cancel()
        await asyncio.wait([task])
        await long.close()
        await long.close()


async def test_none_at_all() -> None:
    seen = Observed()
    intake = Intake(CommandedJournal(), seen.telemetry, seen.tools.clock, Load(100, 1 << 20))
    long = LongConnections(Settings(), intake, seen.telemetry, seen.tools.clock)
    task = asyncio.create_task(long.run())
    await asyncio.sleep(0)
    assert await long.stop(1.0) == 0
    task.cancel()
    await asyncio.wait([task])
    await long.close()
