"""The way out, in the order an event travels: unready, accept a little longer, finish what was accepted, let lanes end."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from router.telemetry import Telemetry, facts


class Draining(Protocol):
    """A lane, as far as the drain is concerned."""

    name: str

    @property
    def idle(self) -> bool:
        """Nothing more can be delivered now."""

    async def drain(self) -> None:
        """Return once idle."""


async def drain_lanes(lanes: Sequence[Draining], seconds: float, telemetry: Telemetry) -> None:
    """Let all lanes deliver what is there, `seconds` at most, and name those that were still busy then."""
    draining = {asyncio.create_task(lane.drain(), name=lane.name): lane for lane in lanes}
    if not draining:
        return
    _, late = await asyncio.wait(draining, timeout=seconds)
    for task in late:
        task.cancel()
        telemetry.emit(facts.LAGGARD, sink=draining[task].name, seconds=seconds)
    await asyncio.gather(*late, return_exceptions=True)
