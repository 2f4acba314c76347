"""What is to be sent, by one writer; and how much is held for a peer that may read slowly."""

import asyncio
from collections import deque

from router.ingress.long_connection.socket import Socket


class Outbox:
    """Of one websocket. Bytes count from when a frame is taken (`hold`), or something is to be sent, until it is sent."""

    def __init__(self, socket: Socket, limit: int) -> None:
        self._socket = socket
        self._limit = limit
        self._held = 0
        self._waiting: deque[bytes] = deque()
        self._control: bytes | None = None
        self._ready = asyncio.Event()
        self._eased = asyncio.Event()

    @property
    def empty(self) -> bool:
        """Whether all was handed to TCP."""
        return not self._waiting

    @property
    def full(self) -> bool:
        """Whether nothing more should be taken now."""
        return self._held > self._limit

    def hold(self, size: int) -> None:
        """So many bytes are kept until something is sent for them."""
        self._held += size

    def let_go(self, size: int) -> None:
        """They are not any more."""
        self._held -= size
        self._eased.set()

    def send(self, data: bytes) -> None:
        """Send a binary message, after those before."""
        self._held += len(data)
        self._waiting.append(data)
        self._ready.set()

    def pong(self, content: bytes) -> None:
        """Answer a ping of the websocket's own. Only the newest needs an answer."""
        self._control = content
        self._ready.set()

    async def eased(self) -> None:
        """Wait until something was sent, or let go."""
        self._eased.clear()
        await self._eased.wait()

    async def run(self) -> None:
        """Send what comes, until cancelled. Raises what the socket raises."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            if self._control is not None:
                content, self._control = self._control, None
                await self._socket.pong(content)
            while self._waiting:
                await self._socket.send_bytes(self._waiting[0])
                self.let_go(len(self._waiting.popleft()))
