"""Waiting for a fact that nothing announces."""

import asyncio
from collections.abc import Callable
from pathlib import Path


async def until(fact: Callable[[], bool], patience: float = 30.0) -> None:
    """Return once the fact holds. Raises TimeoutError: the patience is for a busy machine, and no claim."""
    async with asyncio.timeout(patience):
        while not fact():  # noqa: ASYNC110 - counters and sockets announce nothing
            await asyncio.sleep(0.005)


def whole_lines(file: Path) -> list[bytes]:
    """What another process has written so far, without the line that it is at, which may end within a letter."""
    return file.read_bytes().split(b"\n")[:-1]
