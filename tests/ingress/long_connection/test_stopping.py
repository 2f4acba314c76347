"""Work, and who asks to stop meanwhile."""

import asyncio

import pytest

from router.ingress.long_connection.stopping import unless


async def test_what_comes_of_it() -> None:
    async def work() -> int:
        return 7

    assert await unless(asyncio.Event(), work()) == 7


async def test_what_it_raises() -> None:
    async def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await unless(asyncio.Event(), work())


async def test_it_is_cancelled_when_somebody_asks_to_stop() -> None:
    stop, cancelled = asyncio.Event(), asyncio.Event()

    async def work() -> bool:
        stop.set()
        try:
            return await asyncio.Event().wait()
        finally:
            cancelled.set()

    assert await unless(stop, work()) is None
    assert cancelled.is_set()


async def test_it_is_cancelled_with_whoever_waits() -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    waiting = asyncio.create_task(unless(asyncio.Event(), work()))
    await begun.wait()
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert cancelled.is_set()
