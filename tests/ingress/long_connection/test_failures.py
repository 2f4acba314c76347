import errno
import socket
import ssl
from unittest.mock import Mock

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from router.feishu.discovery import Verdict
from router.ingress.long_connection.failures import CAUGHT, failed, why

KEY = Mock(spec=ConnectionKey, host="secret.example", port=443, ssl=True)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TimeoutError(), "timeout"),
        (aiohttp.ServerTimeoutError(), "timeout"),
        (aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError()), "certificate"),
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError()), "tls"),
        (aiohttp.ClientProxyConnectionError(KEY, OSError()), "proxy"),
        (aiohttp.ClientHttpProxyError(Mock(), ()), "proxy"),
        (aiohttp.ClientConnectorDNSError(KEY, socket.gaierror()), "name"),
        (aiohttp.ClientConnectorError(KEY, OSError(errno.ECONNREFUSED, "refused")), "unreachable"),
        (aiohttp.ServerDisconnectedError(), "reset"),
        (ConnectionResetError(), "reset"),
        (aiohttp.ClientPayloadError(), "protocol"),
        (aiohttp.InvalidURL("wss://secret.example"), "protocol"),
        (ValueError(), "protocol"),
    ],
)
def test_each_has_a_code_and_words_without_an_address(error: Exception, code: str) -> None:
    assert isinstance(error, CAUGHT)
    refusal = failed(error, "the websocket").refusal
    assert (refusal.code, refusal.verdict) == (code, Verdict.SOON)
    assert refusal.meaning.startswith("the websocket: ")
    assert "secret" not in str(refusal)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ECONNREFUSED, "Connect call failed ('secret', 1)"), "it can't be reached (connection refused)"),
        (OSError("secret"), "it can't be reached"),
    ],
)
def test_why_it_is_not_reached_is_said_in_the_systems_words(error: OSError, words: str) -> None:
    assert why(aiohttp.ClientConnectorError(KEY, error))[1] == words
