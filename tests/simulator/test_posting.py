"""One push over HTTP: every answer comes back as a value."""

import ssl

import trustme

from router.simulator.posting import BROKEN_OFF, NO_ANSWER, TIMEOUT, post, session
from tests.doubles.receiver import Receiver, hang_up, reply, stalling


async def test_statuses_bodies_and_what_is_none() -> None:
    async with Receiver() as receiver, session(0.5) as http:
        receiver.behave = reply(503, body=b"later")
        assert (await post(http, receiver.url, b"{}", {}))[0::2] == (503, b"later")
        receiver.behave = reply(302, headers={"Location": receiver.url})
        assert (await post(http, receiver.url, b"{}", {})).status == 302
        receiver.behave = hang_up
        assert (await post(http, receiver.url, b"{}", {})).status == BROKEN_OFF
        receiver.behave = stalling(200)
        posted = await post(http, receiver.url, b"{}", {})
        assert posted.status == TIMEOUT
        assert posted.milliseconds >= 450
        url = receiver.url
    async with session(0.5) as http:
        assert (await post(http, url, b"{}", {})).status == NO_ANSWER


async def test_certificates_are_checked_unless_not() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    async with Receiver(tls) as receiver:
        async with session(5.0) as http:
            posted = await post(http, receiver.url, b"{}", {})
            assert posted.status == NO_ANSWER
            assert b"certificate" in posted.body
        async with session(5.0, verify=False) as http:
            assert (await post(http, receiver.url, b"{}", {})).status == 200
