"""Many connections."""

import asyncio
import time

from tests.doubles.sending import counted, good, still_works
from tests.doubles.waiting import until
from tests.doubles.webhooks import webhook


async def test_too_many_connections_are_closed_at_once() -> None:
    async with webhook(max_connections=3) as hook:
        clients = [hook.client() for _ in range(3)]
        for client in clients:
            await client.__aenter__()
        await until(lambda: hook.server.open_connections == 3)
        async with hook.client() as extra:
            assert await extra.rest() == b""
        await counted(hook, "too_many_connections", "closed")
        assert (await clients[0].push(good())).status == 200
        for client in clients:
            await client.__aexit__()
        await until(lambda: hook.server.open_connections == 0)
        await still_works(hook)


async def test_a_thousand_idle_connections_hold_nothing_up() -> None:
    async with webhook(max_connections=1001, keepalive_seconds=60) as hook:
        clients = [hook.client() for _ in range(1000)]
        await asyncio.gather(*(client.__aenter__() for client in clients))
        await until(lambda: hook.server.open_connections == 1000)
        begun = time.monotonic()
        await still_works(hook)
        assert time.monotonic() - begun < 1.0
        assert await hook.server.stop_accepting(5) == 0
        for client in clients:
            await client.__aexit__()
