import asyncio
import io
import json

from router.lifecycle.drain import drain_lanes
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger


class FakeLane:
    def __init__(self, name: str, seconds: float) -> None:
        self.name = name
        self.seconds = seconds
        self.idle = False

    async def drain(self) -> None:
        await asyncio.sleep(self.seconds)
        self.idle = True


async def drained(*lanes: FakeLane, seconds: float) -> list[str]:
    log = io.StringIO()
    async with asyncio.timeout(25):
        await drain_lanes(lanes, seconds, Telemetry(make_logger("info", "json", log)))
    return [json.loads(line)["sink"] for line in log.getvalue().splitlines()]


async def test_all_lanes_drain_at_once_and_nobody_waits_for_the_deadline() -> None:
    lanes = [FakeLane(f"s{n}", 0.01) for n in range(50)]
    assert await drained(*lanes, seconds=30) == []
    assert all(lane.idle for lane in lanes)


async def test_who_is_late_is_named_and_left() -> None:
    quick, late = FakeLane("quick", 0), FakeLane("late", 100)
    assert await drained(quick, late, seconds=0.05) == ["late"]
    assert quick.idle
    assert not late.idle


async def test_without_sinks_there_is_nothing_to_wait_for() -> None:
    assert await drained(seconds=30) == []
