"""A small real TCP relay before a broker: it can lose answers, and send its clients elsewhere."""

import asyncio
import struct
from collections.abc import Callable
from contextlib import suppress

from tests.doubles.tcp import TcpServer

PRODUCE = 0


class Relay(TcpServer):
    """`async with Relay(port) as relay:`; passes everything on to `target`, which may change.

    loses: once it is set, answers to requests of that API are dropped and the connection closed; lost counts them.
    """

    def __init__(self, target: int, port: int = 0) -> None:
        self.target = target
        self.port = port
        self.loses: int | None = None
        self.lost = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there = await asyncio.open_connection("127.0.0.1", self.target)
        asked: dict[int, int] = {}

        def note(request: bytes) -> bool:
            api, _, correlation = struct.unpack_from(">hhi", request)
            asked[correlation] = api
            return True

        def passes(answer: bytes) -> bool:
            (correlation,) = struct.unpack_from(">i", answer)
            if self.loses is None or asked.pop(correlation) != self.loses:
                return True
            self.lost += 1
            return False

        try:
            ways = [_pump(reader, there, note), _pump(there_reader, writer, passes)]
            _, rest = await asyncio.wait(map(asyncio.ensure_future, ways), return_when=asyncio.FIRST_COMPLETED)
            for way in rest:
                way.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
        finally:
            there.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: Callable[[bytes], bool]) -> None:
    """Pass on message by message, until one may not pass or a side closes."""
    with suppress(OSError, asyncio.IncompleteReadError):
        while True:
            prefix = await reader.readexactly(4)
            message = await reader.readexactly(struct.unpack(">i", prefix)[0])
            if not passes(message):
                return
            writer.write(prefix + message)
            await writer.drain()
