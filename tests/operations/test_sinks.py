"""Sinks listed, paused, resumed and forgotten, restarts included."""

import asyncio
from pathlib import Path

import pytest

from router.operations.contract import ConflictError, UnknownError
from sinks.contract import Rejected, Unavailable
from tests.doubles.dispatching import dispatching
from tests.doubles.scripted import ScriptedSink


async def test_a_pause_survives_restarts_until_it_is_resumed(tmp_path: Path) -> None:
    iam, other = ScriptedSink(), ScriptedSink()
    async with dispatching(tmp_path, iam=iam, other=other) as running:
        await running.operators.pause("iam")
        await running.operators.pause("iam")
        ids = await running.fill(range(20))
        await running.settled("other")
    async with dispatching(tmp_path, iam=iam, other=other) as running:
        await running.fill(range(20, 40))
        await running.settled("other")
        assert iam.delivered == []
        rows = {row.name: row for row in await running.operators.sinks()}
        assert (rows["iam"].state, rows["iam"].lag_events, rows["other"].state) == ("paused", 40, "running")
        assert [line["state"] for line in running.said("lane_state") if line["sink"] == "iam"] == ["paused"]
        await running.operators.resume("iam")
        await running.settled()
        assert iam.delivered[:20] == ids
        assert len(iam.delivered) == 40
    async with dispatching(tmp_path, iam=iam, other=other) as running:
        await running.fill(range(40, 41))
        await running.settled()


async def test_rows_say_what_is_wrong(tmp_path: Path) -> None:
    away = ScriptedSink(lambda _: Unavailable("refused", "nobody listens"))
    picky = ScriptedSink(lambda _: Rejected("http_400"))
    async with dispatching(tmp_path, away=away, picky=picky) as running:
        await running.fill(range(7))
        await running.settled("picky")
        away_row, picky_row = await running.operators.sinks()
        assert (away_row.state, away_row.reason) == ("unavailable", "refused: nobody listens")
        assert away_row.lag_events == 7
        assert (picky_row.state, picky_row.dead_letters, picky_row.type) == ("running", 7, "memory")


async def test_an_absent_sink_is_shown_until_it_is_forgotten(tmp_path: Path) -> None:
    async with dispatching(tmp_path, iam=ScriptedSink(lambda _: Unavailable("x")), bus=ScriptedSink()) as running:
        await running.fill(range(9))
        await running.settled("bus")
        with pytest.raises(ConflictError, match="take it out of FER_SINKS"):
            await running.operators.forget("iam")
    async with dispatching(tmp_path, bus=ScriptedSink()) as running:
        assert [line["events"] for line in running.said("lane_orphaned")] == [9]
        bus, iam = await running.operators.sinks()
        assert (bus.name, iam.name, iam.state, iam.lag_events, iam.type) == ("bus", "iam", "absent", 9, "memory")
        assert iam.absent_ms > 0
        with pytest.raises(UnknownError, match="there are bus, iam"):
            await running.operators.forget("nobody")
        with pytest.raises(UnknownError):
            await running.operators.pause("iam")
        await running.operators.forget("iam")
        assert [row.name for row in await running.operators.sinks()] == ["bus"]
    fresh = ScriptedSink()
    async with dispatching(tmp_path, bus=ScriptedSink(), iam=fresh) as running:
        await asyncio.sleep(0)
        await running.settled()
    assert fresh.delivered == []  # it is new
