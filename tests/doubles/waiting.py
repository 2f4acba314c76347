"""Waiting for a fact that nothing announces."""

import asyncio
from collections.abc import Callable


async def until(fact: Callable[[], bool], patience: float = 30.0) -> None:
    """Return once the fact holds. Raises TimeoutError: the patience is for a busy machine, and no claim."""
    async with asyncio.timeout(patience):
        while not fact():  # noqa: ASYNC110 - counters and sockets announce nothing
            await asyncio.sleep(0.005)
