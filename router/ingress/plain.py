"""aiohttp's protocol, with answers of our own where no handler is asked: it would quote what it read and name itself."""

from http import HTTPStatus

from aiohttp import web

HEADERS = {"Server": "feishu-event-router"}


class PlainHandler(web.RequestHandler):
    """Answers heads that are no HTTP, and handlers that raise, by the status alone."""

    __slots__ = ()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Log by aiohttp's way, then answer. Raises ConnectionError when an answer has begun already."""
        super().handle_error(request, status, exc, message)
        response = web.Response(status=status, text=f"{HTTPStatus(status).phrase}\n", headers=HEADERS)
        response.force_close()
        return response
