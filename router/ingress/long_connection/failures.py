"""Why no connection came of an attempt, in words that hold no address: what Feishu gives as one is a secret."""

import socket
import ssl

import aiohttp

from router.feishu.discovery import Refusal, Verdict

CAUGHT = (aiohttp.ClientError, OSError, TimeoutError, ssl.SSLError, ValueError)
"""What aiohttp raises, and lets through of the standard library, for what a network can do."""


class AttemptError(Exception):
    """An attempt came to nothing."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.meaning)
        self.refusal = refusal


def failed(error: BaseException, what: str) -> AttemptError:
    """By the error's type, never by its words. what: was being asked, for people."""
    code, why = _why(error)
    return AttemptError(Refusal(code, Verdict.SOON, f"{what}: {why}", _REMEDIES.get(code, "")))


_REMEDIES = {
    "name": "see that DOMAIN is right, and that this machine resolves names",
    "unreachable": "see that a firewall lets the router out, or set PROXY",
    "timeout": "see that a firewall lets the router out, or set PROXY",
    "certificate": "set TLS_CA_FILE where a proxy opens TLS, and see that the clock is right",
    "tls": "see that DOMAIN's port speaks TLS; where it speaks none, DOMAIN begins with http://",
    "proxy": "see that PROXY is right, its user and password too",
}


def _why(error: BaseException) -> tuple[str, str]:
    if isinstance(error, TimeoutError):
        return "timeout", "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        return "certificate", "its certificate is not trusted"
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return "tls", "the TLS handshake failed"
    if isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        return "proxy", "the proxy let nothing through"
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return "name", "the name can't be resolved"
    if isinstance(error, aiohttp.ClientConnectorError | ConnectionRefusedError):
        return "unreachable", "it can't be reached"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError):
        return "reset", "the connection was cut"
    return "protocol", "what came was no answer of Feishu's"
