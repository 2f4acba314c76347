"""A body that didn't come in one piece with its head."""

from aiohttp import StreamReader, web

from router.ingress.replies import BROKEN, EXPECTATION, TIMEOUT, TOO_LARGE, Reply

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class BodyError(Exception):
    """The body can't be had. `reply` is the answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


async def read_body(request: web.BaseRequest, max_bytes: int) -> bytes:
    """The whole body. What arrives of all bodies together is bounded by the server.

    Raises BodyError: too large (said before the first byte is read when Content-Length says so), broken off, or overdue
    (somebody set TimeoutError as the stream's exception).
    """
    if (request.content_length or 0) > max_bytes:
        raise BodyError(TOO_LARGE)
    await _answer_expectation(request)
    chunks: list[bytes] = []
    size = 0
    while chunk := await _next_chunk(request.content):
        size += len(chunk)
        if size > max_bytes:
            raise BodyError(TOO_LARGE)
        chunks.append(chunk)
    return b"".join(chunks)


async def _answer_expectation(request: web.BaseRequest) -> None:
    expectation = request.headers.get("Expect")
    if expectation is None:
        return
    if expectation.lower() != "100-continue":
        raise BodyError(EXPECTATION)
    await request.writer.write(CONTINUE)


async def _next_chunk(content: StreamReader) -> bytes:
    try:
        return await content.readany()
    except TimeoutError:
        raise BodyError(TIMEOUT) from None
    except (web.RequestPayloadError, ConnectionError):
        raise BodyError(BROKEN) from None
