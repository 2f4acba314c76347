"""Any bytes on the socket: the server stays up, and a good push afterwards succeeds."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.doubles.commanded_journal import CommandedJournal
from tests.doubles.sending import good
from tests.doubles.waiting import until
from tests.doubles.webhooks import webhook

FRAGMENTS = [
    b"POST /webhook/event HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n", b"POST http://[::1/ HTTP/1.1\r\n", b"OPTIONS * HTTP/1.1\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n", b"Host: x\r\n", b"Content-Length: 5\r\n", b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Upgrade: websocket\r\nConnection: upgrade\r\n", b"Expect: 100-continue\r\n",
    b"X-Lark-Signature: \xff\xfe\r\n", b"\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n", b"{}", b"\x00", b" ", b"HTTP/1.0\r\n",
    b"Connection: close\r\n", b"Content-Encoding: gzip\r\n", b"X-Forwarded-For: ,,\r\n",
]  # fmt: skip
garbage = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from(FRAGMENTS), max_size=12).map(b"".join),
    st.tuples(st.integers(0, 900), st.binary(max_size=30)).map(
        lambda cut: good()[: cut[0]] + cut[1] + good()[cut[0] :]
    ),
)


@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_any_bytes() -> None:
    journal = CommandedJournal()
    async with webhook(journal=journal, read_timeout_seconds=0.2, trusted_proxies=["127.0.0.0/8"]) as hook:
        tried: list[tuple[bytes, bool]] = []

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(garbage, st.booleans())
        def collect(data: bytes, half_close: bool) -> None:
            tried.append((data, half_close))

        collect()
        for number, (data, half_close) in enumerate(tried):
            async with hook.client() as client:
                await client.send(data)
                if half_close:
                    client.writer.write_eof()
            assert (await hook.push(good(f"after-{number}"))).status == 200, data
        await until(lambda: hook.server.open_connections == 0)
        assert hook.server.in_flight == hook.load.bytes == hook.load.pushes == 0
        assert "worker_crashed" not in hook.log.getvalue()
