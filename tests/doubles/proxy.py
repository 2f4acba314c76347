"""A small real forward proxy: CONNECT tunnels and plain requests in absolute form."""

import asyncio
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.doubles.tcp import TcpServer


@dataclass
class ForwardProxy(TcpServer):
    """`async with ForwardProxy() as proxy:`; records request lines and credentials. refuse: the status to refuse with."""

    refuse: int | None = None
    lines: list[str] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *headers = head.removesuffix("\r\n\r\n").split("\r\n")
        self.lines.append(line)
        named = {name.lower(): value.strip() for name, _, value in (header.partition(":") for header in headers)}
        self.credentials.append(named.get("proxy-authorization", ""))
        if self.refuse is not None:
            writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % self.refuse)
            await writer.drain()
            return
        method, target, _ = line.split(" ")
        where = urlsplit(f"//{target}" if method == "CONNECT" else target)
        upstream_reader, upstream = await asyncio.open_connection(where.hostname, where.port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            kept = [header for header in headers if not header.lower().startswith("proxy-")]
            upstream.write("\r\n".join([f"{method} {where.path} HTTP/1.1", *kept, "", ""]).encode())
        try:
            await asyncio.gather(_pump(reader, upstream), _pump(upstream_reader, writer))
        finally:
            upstream.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
