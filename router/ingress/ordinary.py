"""The ordinary push: one POST that came whole, in one piece. Anything the least unusual is left to aiohttp's parser.

Source: RFC 9112 (message syntax), RFC 9110 section 5 (fields). What is accepted here is a small part of what they allow.
"""

import re
from typing import NamedTuple

MAX_HEAD = 4096
_HEAD = re.compile(r"POST (/[!-~]*) HTTP/1\.1\r\n((?:[A-Za-z0-9_-]+: [!-~](?:[ -~]*[!-~])?\r\n){1,64})")
_UNUSUAL = frozenset({"transfer-encoding", "content-encoding", "expect", "upgrade", "trailer", "te"})


class Headers(dict[str, str]):
    """Kept by lower-case name, asked for in any case."""

    __slots__ = ()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override] # text only
        """The value of that field."""
        return dict.get(self, name.lower(), default)


class Ordinary(NamedTuple):
    """A whole request."""

    path: str
    headers: Headers
    body: bytes


def read(data: bytes, max_body: int) -> Ordinary | None:
    """The request that `data` is, if it is one ordinary POST and nothing else; None leaves it to a complete parser.

    Ordinary: HTTP/1.1, ASCII, `Name: value` with one space, no field twice, one host, a Content-Length that is exactly
    what is here, no transfer coding, no expectation, and the connection is kept.
    """
    end = data.find(b"\r\n\r\n", 0, MAX_HEAD)
    match = _HEAD.fullmatch(data[: end + 2].decode("latin-1")) if end > 0 else None
    if match is None:
        return None
    lines = match[2][:-2].split("\r\n")
    headers = Headers()
    for line in lines:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    if len(headers) != len(lines) or not _UNUSUAL.isdisjoint(headers) or "host" not in headers:
        return None
    if headers.get("connection", "keep-alive") != "keep-alive":
        return None
    length, size = headers.get("content-length") or "", len(data) - end - 4
    if not length.isdigit() or length != str(size) or size > max_body:
        return None
    return Ordinary(match[1], headers, data[end + 4 :])
