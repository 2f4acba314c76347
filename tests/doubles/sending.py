"""Requests that many tests send."""

import asyncio

from tests.doubles import pushes
from tests.doubles.raw_http import RawClient, request
from tests.doubles.waiting import until
from tests.doubles.webhooks import Hook


def good(event_id: str = "e-1", path: str = "/webhook/event", size: int = 0) -> bytes:
    headers, body = pushes.signed(pushes.event(event_id, size=size))
    return request(body, headers, path=path)


async def still_works(hook: Hook) -> None:
    assert (await hook.push(good("after"))).status == 200


async def counted(hook: Hook, reason: str, status: str | int, count: float = 1) -> None:
    await until(lambda: hook.refused(reason, status) >= count)
    assert hook.refused(reason, status) == count


async def drip(client: RawClient, data: bytes) -> None:
    try:
        for byte in data:
            await client.send(bytes([byte]))
            await asyncio.sleep(0.02)
    except ConnectionError:
        return
