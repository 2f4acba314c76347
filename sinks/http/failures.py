"""No answer came: the exception's type → outcome. Its own text is never used, it may quote the URL.

What the connection failed at concerns every event, so it is Unavailable; so is a receiver that hangs up on a request,
as the lane's probe with another subject finds out whether this one event is the cause. Whether it was processed is not
known then: it comes again (at least once). Only the whole request's timeout is Retry: the receiver took the connection
and may be slow on this event alone, and holding the whole lane for that would let one slow event stop all others.
"""

import os

import aiohttp

from sinks.contract import Retry, Unavailable

_NETWORK: list[tuple[type[BaseException], str, str]] = [
    (aiohttp.ConnectionTimeoutError, "connect_timeout", "no connection within CONNECT_TIMEOUT_SECONDS"),
    (aiohttp.ClientConnectorDNSError, "dns", "the host's name can't be resolved"),
    (aiohttp.ClientProxyConnectionError, "proxy", "the proxy can't be reached"),
    (aiohttp.ClientConnectorSSLError, "tls", "the TLS handshake failed"),
    (aiohttp.ClientConnectorError, "connect", "the connection can't be made"),
    (aiohttp.ServerDisconnectedError, "disconnected", "the receiver closed the connection without an answer"),
    (aiohttp.ClientPayloadError, "network", "the connection broke"),
    (aiohttp.ClientResponseError, "not_http", "what answers there doesn't speak HTTP"),
    (aiohttp.InvalidURL, "url", "the HTTP client doesn't take this URL"),
    (OSError, "network", "the connection broke"),
    (aiohttp.ClientError, "client", "the HTTP client failed"),
]
CAUGHT = (aiohttp.ClientError, OSError)
"""All that a request can raise; TimeoutError is an OSError."""


def failure(error: BaseException) -> Retry | Unavailable:
    """Outcome of a request that ended in one of `CAUGHT`."""
    match error:
        case aiohttp.ClientHttpProxyError():
            return Unavailable(f"proxy_{error.status}", f"the proxy answered {error.status} to CONNECT")
        case aiohttp.ClientConnectorCertificateError():
            return Unavailable("certificate", certificate_text(error.certificate_error))
        case aiohttp.ConnectionTimeoutError():
            pass
        case TimeoutError():
            return Retry("timeout", "no answer within TIMEOUT_SECONDS")
    for type_, reason, text in _NETWORK:
        if isinstance(error, type_):
            return Unavailable(reason, text + _system(error))
    raise error


def certificate_text(error: BaseException) -> str:
    """Why a certificate was not accepted, in the TLS library's words, which name no secret."""
    why = getattr(error, "verify_message", "") or "it can't be verified"
    return f"the receiver's certificate is not accepted: {why}"


def _system(error: BaseException) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return f": {os.strerror(number)}" if isinstance(number, int) and number > 0 else ""
