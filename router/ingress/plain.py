"""aiohttp's protocol and its requests, with answers that quote nothing and don't tell what serves: aiohttp's do both."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus

from aiohttp import web

NAME = "feishu-event-router"


class PlainRequest(web.BaseRequest):
    """All answers to it, a websocket's too, have our name and not Python's and aiohttp's with their versions."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        response.headers["Server"] = NAME


def plain_server(handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> web.Server:
    """aiohttp's server of such requests, for the running loop."""
    return web.Server(handler, request_factory=partial(PlainRequest, loop=asyncio.get_running_loop()))


class PlainHandler(web.RequestHandler):
    """Answers heads that are no HTTP, and handlers that raise, by the status alone."""

    __slots__ = ()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Log by aiohttp's way, then answer. Raises ConnectionError when an answer has begun already."""
        super().handle_error(request, status, exc, message)
        response = web.Response(status=status, text=f"{HTTPStatus(status).phrase}\n")
        response.force_close()
        return response
