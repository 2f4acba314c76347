"""One push over HTTP, and its answer in words."""

import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import aiohttp

NO_ANSWER, TIMEOUT, BROKEN_OFF = "no answer", "timeout", "broken off"


class Posted(NamedTuple):
    """status: HTTP's, or one of the words above; body: the answer's, or what went wrong."""

    status: int | str
    milliseconds: float
    body: bytes = b""


def session(seconds: float, *, verify: bool = True) -> "aiohttp.ClientSession":
    """Many connections, none waiting for another. verify: whether TLS certificates are checked."""
    import aiohttp  # noqa: PLC0415 - `--help` need not wait for it

    connector = aiohttp.TCPConnector(limit=0, ssl=verify)
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=seconds))


async def post(
    http: "aiohttp.ClientSession", url: str, body: bytes | AsyncIterator[bytes], headers: dict[str, str]
) -> Posted:
    """Post it; never raises for what the peer or the network does."""
    import aiohttp  # noqa: PLC0415 - `--help` need not wait for it

    from router.ingress.long_connection.failures import why  # noqa: PLC0415

    started = time.monotonic()
    try:
        async with http.post(url, data=body, headers=headers, allow_redirects=False) as response:
            answer: bytes = await response.read()
            status: int | str = response.status
    except TimeoutError:
        answer, status = b"", TIMEOUT
    except aiohttp.ClientConnectorError as error:
        answer, status = why(error)[1].encode(), NO_ANSWER
    except aiohttp.ClientError as error:
        answer, status = str(error).encode(), BROKEN_OFF
    return Posted(status, (time.monotonic() - started) * 1000, answer)
