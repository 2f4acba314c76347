"""The gauges of a router: read from a lane in each of its states."""

import asyncio

import pytest

from router.readings import STATES, register_readings
from router.telemetry import Telemetry
from sinks.contract import DELIVERED, Retry, Unavailable
from tests.dispatch.lanes import make_lane, running
from tests.doubles.events import envelope
from tests.doubles.journal import MemoryJournal
from tests.doubles.scripted import ScriptedSink
from tests.doubles.virtual import run_virtual


class Server:
    in_flight = 3
    open_connections = 5


class Gauges:
    def __init__(self, telemetry: Telemetry) -> None:
        self.telemetry = telemetry

    def __getitem__(self, name: str) -> float | None:
        labels = {"sink": "s"} if name in ("lag_events", "lag_seconds", "parked", "deliveries_running") else {}
        return self.telemetry.registry.get_sample_value(f"fer_{name}", labels)

    @property
    def states(self) -> list[str]:
        read = self.telemetry.registry.get_sample_value
        return [state for state in STATES if read("fer_sink_state", {"sink": "s", "state": state})]


def test_every_gauge_follows_the_lane() -> None:
    async def main() -> None:
        down = True
        journal = MemoryJournal()
        sink = ScriptedSink(lambda event: Unavailable("down") if down else DELIVERED)
        lane = make_lane(sink, journal)
        telemetry = lane._telemetry
        register_readings(telemetry, journal, lambda: [("s", lane.reading())], Server())
        gauges = Gauges(telemetry)
        assert gauges.states == ["opening"]
        async with running(lane):
            await lane.drain()
            assert gauges.states == ["running"]
            assert gauges["lag_events"] == gauges["lag_seconds"] == 0
            for n in range(10):
                _ = journal.append(envelope(n))
            await asyncio.sleep(0.005)
            assert gauges["deliveries_running"] == 1
            await asyncio.sleep(60)
            assert gauges.states == ["unavailable"]
            assert gauges["lag_events"] == gauges["journal_head"] == gauges["journal_events"] == 10
            assert (gauges["lag_seconds"] or 0) > 1000
            down = False
            await asyncio.sleep(60)
            assert gauges.states == ["running"]
            assert gauges["lag_events"] == gauges["lag_seconds"] == 0
        assert gauges.states == ["stopped"]
        assert (gauges["in_flight"], gauges["connections"]) == (3, 5)

    run_virtual(main())


def test_what_is_parked_is_shown_and_no_lag() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        sink = ScriptedSink(lambda event: Retry("no") if event.subject == "s1" else DELIVERED)
        lane = make_lane(sink, journal)
        register_readings(lane._telemetry, journal, lambda: [("s", lane.reading())], Server())
        gauges = Gauges(lane._telemetry)
        async with running(lane):
            for n in range(10):
                _ = journal.append(envelope(n, f"s{n % 2}"))
            await lane.drain()
            assert (gauges["parked"], gauges["lag_events"], gauges["lag_seconds"]) == (5, 0, 0)

    run_virtual(main())


def test_an_exposition_names_every_gauge_once() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        lane = make_lane(ScriptedSink(), journal)
        register_readings(lane._telemetry, journal, lambda: [("s", lane.reading())], Server())
        page = lane._telemetry.exposition().decode()
        kinds = [line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")]
        assert len(kinds) == len(set(kinds)) > 10
        with pytest.raises(ValueError, match="Duplicated"):
            register_readings(lane._telemetry, journal, lambda: [("s", lane.reading())], Server())

    run_virtual(main())
