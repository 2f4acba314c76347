"""Programs that are connected to a `feishu_ws` sink, in one process: they acknowledge at once. Says `ready` when all are."""

import asyncio
import os

import aiohttp
import uvloop

from router.feishu import discovery, frames
from router.feishu.discovery import Endpoint

APP_ID, APP_SECRET = "cli_b0b0b0b0b0b0b0b0", "benchmark-program-secret"
CONNECTIONS = 4
IN_FLIGHT = 64
_EVENT, _PAYLOAD, _SIZED = b"\x0a\x04type\x12\x05event", 8 << 3 | 2, 2
_TAKEN = b'\x42\x0c{"code":200}'


async def connect(http: aiohttp.ClientSession, domain: str) -> aiohttp.ClientWebSocketResponse:
    async with http.post(domain + discovery.PATH, data=discovery.request(APP_ID, APP_SECRET)) as answer:
        endpoint = discovery.read_answer(answer.status, await answer.read())
    assert isinstance(endpoint, Endpoint), endpoint
    websocket = await http.ws_connect(endpoint.url, max_msg_size=0)
    await websocket.send_bytes(frames.ping(endpoint.service_id))
    return websocket


async def acknowledge(websocket: aiohttp.ClientWebSocketResponse) -> None:
    async for message in websocket:
        if _EVENT in message.data:
            await websocket.send_bytes(acknowledgement(message.data))


def acknowledgement(event: bytes) -> bytes:
    """What stands before the payload, and the code: reading all of it costs more than a fast program would take."""
    at = 0
    while event[at] != _PAYLOAD:
        sized = event[at] & 7 == _SIZED
        at += 1
        size = shift = 0
        while event[at] > 0x7F:
            size |= (event[at] & 0x7F) << shift
            shift += 7
            at += 1
        size |= event[at] << shift
        at += 1 + (size if sized else 0)
    return event[:at] + _TAKEN


async def main() -> None:
    async with aiohttp.ClientSession() as http:
        websockets = [await connect(http, f"http://127.0.0.1:{os.environ['PORT']}") for _ in range(CONNECTIONS)]
        print("ready", flush=True)
        await asyncio.gather(*map(acknowledge, websockets))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
