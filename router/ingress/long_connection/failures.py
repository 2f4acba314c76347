"""Why no connection came of an attempt, in words that hold no address: what Feishu gives as one is a secret."""

import os
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


def failed(error: BaseException, what: str, proxy: str = "") -> AttemptError:
    """By the error's type and numbers, never by words that may hold an address.

    what: was being asked, for people; proxy: by which it was, without user and password.
    """
    code, words, remedy = why(error, proxy)
    road = f"{what} through the proxy {proxy}" if proxy else what
    return AttemptError(Refusal(code, Verdict.SOON, f"{road}: {words}", remedy))


_NAME = "see that DOMAIN is right, and that this machine resolves names"
_NETWORK = "see that a firewall lets the router out; where only a proxy does, that PROXY is right"
_TLS = "see that DOMAIN's port speaks TLS; where it speaks none, DOMAIN begins with http://"
_PROXY = "see that PROXY is right, its user and password too"
_UNTRUSTED = "set TLS_CA_FILE where a proxy opens TLS"
_CLOCK = "see that this machine's clock is right; if so, whoever shows the certificate has to renew it"
_HOST = "see that DOMAIN is right, and that no proxy shows a certificate of its own"
_CERTIFICATES = {
    9: ("is not valid yet", _CLOCK),
    10: ("has expired", _CLOCK),
    62: ("is another host's", _HOST),
    64: ("is another host's", _HOST),
}
"""By OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID, _CERT_HAS_EXPIRED, _HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH."""


def why(error: BaseException, proxy: str = "") -> tuple[str, str, str]:
    """A code, what happened, what to do."""
    if isinstance(error, TimeoutError):
        return "timeout", "no answer in time", _NETWORK
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        flaw, remedy = _certificate(error)
        return "certificate", f"its certificate {flaw}", remedy
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return "tls", "the TLS handshake failed", _TLS
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return "proxy", f"the proxy answered HTTP {error.status}", _PROXY
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return "proxy", "the proxy can't be reached", _PROXY
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        if proxy:  # which resolves all other names
            return "proxy", "the proxy's name can't be resolved", _PROXY
        return "name", "the name can't be resolved", _NAME
    if isinstance(error, aiohttp.ClientConnectorError | ConnectionRefusedError):
        return "unreachable", f"it can't be reached{_system(error)}", _NETWORK
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError):
        return "reset", "the connection was cut", ""
    return "protocol", "what came was no answer of Feishu's", ""


def _system(error: OSError) -> str:
    return f" ({os.strerror(error.errno).lower()})" if error.errno else ""


def _certificate(error: BaseException) -> tuple[str, str]:
    """What is wrong with it, and what to do. OpenSSL's own words name no host but where it is another one's."""
    cause = error.certificate_error if isinstance(error, aiohttp.ClientConnectorCertificateError) else error
    untrusted = f"is not trusted: {getattr(cause, 'verify_message', 'unknown')}", _UNTRUSTED
    return _CERTIFICATES.get(getattr(cause, "verify_code", 0), untrusted)
