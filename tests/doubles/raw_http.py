"""An HTTP client that hides nothing: bytes out, bytes in, over one socket."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Mapping
from typing import NamedTuple, Self

PATIENCE = 30.0


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def request(
    body: bytes = b"",
    headers: Mapping[str, str | bytes] | None = None,
    *,
    method: str = "POST",
    path: str = "/webhook/event",
) -> bytes:
    """A whole request with Content-Length."""
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: router.test", b"Content-Length: %d" % len(body)]
    lines += [
        name.encode() + b": " + (value if isinstance(value, bytes) else value.encode())
        for name, value in (headers or {}).items()
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class RawClient:
    """One connection. Every wait has a deadline."""

    def __init__(self, address: str, tls: ssl.SSLContext | None = None) -> None:
        host, _, port = address.rpartition(":")
        self._where = host.strip("[]"), int(port)
        self._tls = tls

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection(*self._where, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    def reset(self) -> None:
        """Close so that the peer gets a reset and not an end."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await asyncio.wait_for(self.writer.drain(), PATIENCE)

    async def push(self, data: bytes) -> Answer:
        await self.send(data)
        return await self.answer()

    async def answer(self, patience: float = PATIENCE) -> Answer:
        async with asyncio.timeout(patience):
            status_line = await self.reader.readline()
            if not status_line:
                raise EOFError("closed without an answer")
            headers: dict[str, str] = {}
            while line := (await self.reader.readline()).strip():
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
            return Answer(int(status_line.split()[1]), headers, body)

    async def rest(self, patience: float = PATIENCE) -> bytes:
        """Everything until the server closes."""
        try:
            return await asyncio.wait_for(self.reader.read(), patience)
        except ConnectionError:
            return b""
