import errno
import ssl
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from sinks.contract import Retry, Unavailable
from sinks.http.failures import CAUGHT, failure

SECRET = "s3cr3t"
KEY: Any = SimpleNamespace(host=SECRET, port=1, ssl=True)
REQUEST = aiohttp.RequestInfo(URL(f"http://h/?{SECRET}"), "POST", CIMultiDictProxy(CIMultiDict()), URL("http://h/"))
REFUSED = OSError(errno.ECONNREFUSED, SECRET)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (aiohttp.ClientConnectorError(KEY, REFUSED), "connect"),
        (aiohttp.ClientConnectorDNSError(KEY, OSError(-2, SECRET)), "dns"),
        (aiohttp.ClientProxyConnectionError(KEY, REFUSED), "proxy"),
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, SECRET)), "tls"),
        (aiohttp.ClientConnectorCertificateError(KEY, ssl.CertificateError(1, SECRET)), "certificate"),
        (aiohttp.ClientHttpProxyError(REQUEST, (), status=407, message=SECRET), "proxy_407"),
        (aiohttp.ConnectionTimeoutError(SECRET), "connect_timeout"),
        (aiohttp.ServerDisconnectedError(SECRET), "disconnected"),
        (aiohttp.ServerFingerprintMismatch(b"", b"", SECRET, 1), "client"),
        (aiohttp.ClientOSError(errno.ECONNRESET, SECRET), "network"),
        (aiohttp.ClientConnectionResetError(SECRET), "network"),
        (aiohttp.ClientPayloadError(SECRET), "network"),
        (aiohttp.ClientConnectionError(SECRET), "client"),
        (aiohttp.ClientResponseError(REQUEST, (), status=400, message=SECRET), "not_http"),
        (aiohttp.InvalidURL(SECRET), "url"),
        (aiohttp.ClientError(SECRET), "client"),
        (ssl.SSLError(1, SECRET), "network"),
        (BrokenPipeError(errno.EPIPE, SECRET), "network"),
        (OSError(SECRET), "network"),
    ],
)
def test_what_concerns_all_events_is_unavailable(error: Exception, reason: str) -> None:
    assert isinstance(error, CAUGHT)
    outcome = failure(error)
    assert isinstance(outcome, Unavailable)
    assert outcome.reason == reason
    assert outcome.detail
    assert SECRET not in repr(outcome)


@pytest.mark.parametrize(
    "error", [TimeoutError(SECRET), aiohttp.ServerTimeoutError(SECRET), aiohttp.SocketTimeoutError()]
)
def test_a_slow_answer_is_this_events_matter(error: Exception) -> None:
    assert failure(error) == Retry("timeout", "no answer within TIMEOUT_SECONDS")


def test_the_systems_reason_is_given_in_its_own_words() -> None:
    outcome = cast("Unavailable", failure(aiohttp.ClientOSError(errno.ENETUNREACH, SECRET)))
    assert outcome.detail == "the connection broke: Network is unreachable"


def test_what_is_no_failure_of_the_request_is_raised_on() -> None:
    with pytest.raises(ZeroDivisionError):
        failure(ZeroDivisionError())


def test_all_errors_of_the_client_are_caught() -> None:
    exported = [getattr(aiohttp, name) for name in aiohttp.__all__]
    errors = [kind for kind in exported if isinstance(kind, type) and issubclass(kind, Exception)]
    own = [kind for kind in errors if kind.__module__ == "aiohttp.client_exceptions"]
    assert len(own) > 15
    for kind in own:
        assert issubclass(kind, CAUGHT) or kind is aiohttp.WSMessageTypeError
