"""A lane on a virtual loop, over a journal in memory."""

import asyncio
import io
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from router.dispatch.lane import Lane
from router.dispatch.outlet import Outlet
from router.dispatch.parts import Parts
from router.journal.contract import Journal
from router.settings.model import DispatchSettings
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger
from sinks.contract import Sink
from sinks.settings import SinkSettings
from tests.doubles.virtual import VirtualClock


def make_lane(
    sink: Sink, journal: Journal, seed: int = 0, dispatch: DispatchSettings | None = None, **settings: object
) -> Lane:
    clock = VirtualClock()
    telemetry = Telemetry(make_logger("error", "json", io.StringIO()), clock)
    options = dispatch or DispatchSettings(deliver_timeout_seconds=30)
    sink_settings = SinkSettings.model_validate({"type": "memory", **settings})
    parts = Parts(journal, options, telemetry, clock, random.Random(seed).random)
    return Lane(Outlet("s", sink, sink_settings, parts), parts)


@asynccontextmanager
async def running(lane: Lane) -> AsyncIterator[Lane]:
    await lane.register()
    task = asyncio.create_task(lane.run())
    try:
        yield lane
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
