"""One websocket of an app, seen from the platform: what is written to it, whole or damaged."""

import asyncio
import socket
import struct
from collections.abc import Coroutine, Iterable
from contextlib import suppress

from router.simulator.messages import Messages

BINARY, TEXT, CLOSE = 0x82, 0x81, 0x88
NORMAL = 1000
CLOSE_SECONDS = 1.0
"""One SDK never answers a close: its connection is cut so long after."""
PIECES = 8


class Connection:
    """Writes websocket messages straight to the transport: one that is cut off within a frame, for example.

    silent: it has fallen silent and nobody knows; what is written to it goes nowhere. ended_by: the fault of ours that ends
    it, "" while none does.
    """

    def __init__(self, app_id: str, connection_id: str, service: int, transport: asyncio.Transport, seed: int) -> None:
        self.app_id = app_id
        self.id = connection_id
        self.service = service
        self.messages = Messages(service, connection_id, seed)
        self.silent = False
        self.closing = False
        self.ended_by = ""
        self._transport = transport
        self._ready: list[bytes] = []
        self._held: list[bytes] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> bool:
        """Whether events may be given to it, as far as the platform knows."""
        return not (self.closing or self._transport.is_closing())

    def write(self, message: bytes, kind: int = BINARY) -> None:
        """Send one message; after what comes slowly."""
        self._put(framed(message, kind))

    def write_half(self, message: bytes) -> None:
        """Send half of a message, and end the connection."""
        data = framed(message)
        self._put(data[: max(1, len(data) // 2)])
        self.closing = True
        self._flush()
        self._transport.close()

    def write_slowly(self, message: bytes, seconds: float) -> None:
        """Send it in pieces; whatever comes meanwhile goes after it."""
        if self._held is not None:
            self.write(message)
            return
        data = framed(message)
        size = -(-len(data) // PIECES)
        self._flush()
        self._held = []
        self._begin(self._drip([data[at : at + size] for at in range(0, len(data), size)], seconds / PIECES))

    def write_later(self, message: bytes, seconds: float) -> None:
        """Send it after a while."""
        self._begin(self._delayed(message, seconds))

    def fall_silent(self, seconds: float) -> None:
        """Read and write no more. It's cut in the end, for our own sake."""
        self.silent = True
        self._transport.pause_reading()
        self._begin(self._cut_after(seconds))

    def close(self, code: int = NORMAL) -> None:
        """Close the websocket; cut it where that isn't answered."""
        self.write(code.to_bytes(2, "big"), CLOSE)
        self.closing = True
        self._begin(self._cut_after(CLOSE_SECONDS))

    def reset(self) -> None:
        """Cut it with a TCP reset."""
        peer: socket.socket | None = self._transport.get_extra_info("socket")
        if peer is not None:
            with suppress(OSError):
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def gone(self) -> None:
        """It has ended."""
        for task in self._tasks:
            task.cancel()

    def _put(self, data: bytes) -> None:
        if self.silent or self._transport.is_closing():
            return
        if self._held is not None:
            self._held.append(data)
            return
        if not self._ready:
            asyncio.get_running_loop().call_soon(self._flush)
        self._ready.append(data)

    def _flush(self) -> None:
        """One write for whatever was sent in one round of the loop: system calls are dear."""
        ready, self._ready = self._ready, []
        if ready and not self.silent and not self._transport.is_closing():
            self._transport.write(ready[0] if len(ready) == 1 else b"".join(ready))

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drip(self, pieces: Iterable[bytes], pause: float) -> None:
        for piece in pieces:
            if not self.silent:
                self._transport.write(piece)
            await asyncio.sleep(pause)
        held, self._held = self._held or [], None
        for data in held:
            self._put(data)

    async def _delayed(self, message: bytes, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.write(message)

    async def _cut_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._transport.abort()


def framed(message: bytes, kind: int = BINARY) -> bytes:
    """A websocket frame as servers send it: whole, not masked (RFC 6455, 5.2)."""
    size = len(message)
    if size < 126:
        return bytes((kind, size)) + message
    if size < 1 << 16:
        return bytes((kind, 126)) + size.to_bytes(2, "big") + message
    return bytes((kind, 127)) + size.to_bytes(8, "big") + message
