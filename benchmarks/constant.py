"""What aiohttp alone can do here: reads the body, answers a constant. `PORT` comes from the environment."""

import asyncio
import os

import uvloop
from aiohttp import web


async def answer(request: web.BaseRequest) -> web.Response:
    await request.read()
    return web.Response(body=b"{}", content_type="application/json")


async def main() -> None:
    server = web.Server(answer, access_log=None)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", int(os.environ["PORT"]))
    await listener.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
