"""A websocket whose TCP connection can be cut, and a client session that follows no redirects and knows a proxy."""

import socket
from types import SimpleNamespace
from typing import Any, Literal

import aiohttp

from router.feishu.discovery import Refusal, Verdict
from router.ingress.long_connection.failures import AttemptError

MESSAGE_BYTES = 8 << 20
CLOSE_SECONDS = 1.0
PROXY_WANTS_PASSWORD = 407
WS_TIMEOUT = aiohttp.ClientWSTimeout(ws_receive=None, ws_close=CLOSE_SECONDS)


class Socket(aiohttp.ClientWebSocketResponse[Literal[True]]):
    """The client's side of a websocket."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        connection = self._response.connection
        self._transport = connection.transport if connection is not None else None
        peer = self.get_extra_info("socket")
        if peer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def cut(self) -> None:
        """End TCP at once, whatever waits to be sent: a peer that is gone takes nothing any more. Idempotent."""
        if self._transport is not None:
            self._transport.abort()
        self._response.close()


def trace() -> aiohttp.TraceConfig:
    """Has every redirect end the request: it would carry a secret to whoever it names; and what only a proxy answers."""

    async def refuse(
        _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestRedirectParams
    ) -> None:
        status = params.response.status
        raise AttemptError(
            Refusal(
                f"http_{status}", Verdict.SOON, f"it answered HTTP {status}, a redirect", "see that DOMAIN is right"
            )
        )

    async def tell(
        _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        response = params.response
        if response.status == PROXY_WANTS_PASSWORD:
            response.close()
            raise aiohttp.ClientHttpProxyError(response.request_info, (), status=response.status)

    config = aiohttp.TraceConfig()
    config.on_request_redirect.append(refuse)
    config.on_request_end.append(tell)
    return config
