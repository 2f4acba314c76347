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


async def connect(http: aiohttp.ClientSession, domain: str) -> aiohttp.ClientWebSocketResponse:
    async with http.post(domain + discovery.PATH, data=discovery.request(APP_ID, APP_SECRET)) as answer:
        endpoint = discovery.read_answer(answer.status, await answer.read())
    assert isinstance(endpoint, Endpoint), endpoint
    websocket = await http.ws_connect(endpoint.url, max_msg_size=0)
    await websocket.send_bytes(frames.ping(endpoint.service_id))
    return websocket


async def acknowledge(websocket: aiohttp.ClientWebSocketResponse) -> None:
    async for message in websocket:
        frame = frames.decode(message.data)
        if frame.method == frames.DATA:
            await websocket.send_bytes(frames.ack(frame, 200, 0))


async def main() -> None:
    async with aiohttp.ClientSession() as http:
        websockets = [await connect(http, f"http://127.0.0.1:{os.environ['PORT']}") for _ in range(CONNECTIONS)]
        print("ready", flush=True)
        await asyncio.gather(*map(acknowledge, websockets))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
