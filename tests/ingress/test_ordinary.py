"""The ordinary push: what the short way takes, it must take as a complete parser does, and answer in the same way."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser
from hypothesis import example, given
from hypothesis import strategies as st

from router.ingress.ordinary import MAX_HEAD, read
from tests.doubles.commanded_journal import CommandedJournal
from tests.doubles.raw_http import request
from tests.doubles.sending import counted, good
from tests.doubles.waiting import until
from tests.doubles.webhooks import webhook

UNUSUAL = [
    "Transfer-Encoding: chunked", "Content-Encoding: gzip", "Expect: 100-continue", "Upgrade: websocket", "TE: trailers",
    "Trailer: X", "Connection: close", "Connection: Keep-Alive", "Content-Length: 2", "Host: other", "X: a\tb", "X:  a",
    "X:a", "X : a", "X: a ", "X: ä", " folded: x", "X: ", ": x", "X\t: a", "content-length: 2",
]  # fmt: skip
names = st.sampled_from(
    ["X-A", "x-a", "Host", "Content-Length", "Accept", "User-Agent", "Connection", "Transfer-Encoding", "é"]
)
values = st.text(st.sampled_from("ab 1:,\t\r\n\x00é\x7f"), max_size=6) | st.sampled_from(
    ["2", "02", "+2", "chunked", "close"]
)
fields = st.lists(st.tuples(names, values), max_size=5)


def whole(lines: list[str], body: bytes = b"{}", line: str = "POST /webhook/event HTTP/1.1") -> bytes:
    return "\r\n".join([line, *lines, "", ""]).encode("latin-1") + body


async def _parsed(data: bytes) -> tuple[str, str, dict[str, str], bytes] | None:
    loop = asyncio.get_running_loop()
    protocol = BaseProtocol(loop)
    parser: Any = HttpRequestParser(protocol, loop, 2**16, auto_decompress=False)
    messages, upgraded, rest = parser.feed_data(data)
    if len(messages) != 1 or upgraded or rest:
        return None
    ((message, payload),) = messages
    if not payload.is_eof():
        return None
    headers = {name.lower(): value for name, value in message.headers.items()}
    return message.method, message.path, headers, payload.read_nowait()


def _agrees(data: bytes) -> None:
    taken = read(data, 1 << 20)
    if taken is not None:
        headers: Mapping[str, str] = taken.headers
        assert asyncio.run(_parsed(data)) == ("POST", taken.path, dict(headers), taken.body)


@given(fields, st.binary(max_size=4), st.booleans())
@example(extra=[("X-A", "a")], body=b"{}", right=True)
def test_whatever_is_taken_is_what_a_complete_parser_reads(
    extra: list[tuple[str, str]], body: bytes, right: bool
) -> None:
    lines = [f"{name}: {value}" for name, value in extra]
    if right:
        lines += ["Host: x", f"Content-Length: {len(body)}"]
    try:
        _agrees(whole(lines, body))
    except UnicodeEncodeError:
        return


@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 400))
def test_damaged_requests_are_read_alike_or_left_to_aiohttp(junk: bytes, at: int, cut: int) -> None:
    data = good("e-1")
    at %= len(data)
    _agrees(data[:at] + junk + data[at + cut % 50 :])


@pytest.mark.parametrize("field", UNUSUAL)
def test_anything_unusual_is_left_to_aiohttp(field: str) -> None:
    assert read(whole(["Host: x", "Content-Length: 2"]), 100) is not None
    assert read(whole(["Host: x", "Content-Length: 2", field]), 100) is None


@pytest.mark.parametrize(
    "data",
    [
        whole(["Content-Length: 2"]),
        whole(["Host: x"]),
        whole(["Host: x", "Content-Length: 3"]),
        whole(["Host: x", "Content-Length: 1"]),
        whole(["Host: x", "Content-Length: 02"]),
        whole(["Host: x", "Content-Length: ²"]),
        whole(["Host: x", "Content-Length: 2"], line="GET / HTTP/1.1"),
        whole(["Host: x", "Content-Length: 2"], line="POST / HTTP/1.0"),
        whole(["Host: x", "Content-Length: 2"], line="POST  / HTTP/1.1"),
        whole(["Host: x", "Content-Length: 2"], line="POST http://x/ HTTP/1.1"),
        whole(["Host: x", "Content-Length: 2"]).replace(b"\r\n", b"\n"),
        b"\r\n" + whole(["Host: x", "Content-Length: 2"]),
        whole(["Host: x", "Content-Length: 2", "X: " + "x" * MAX_HEAD]),
        whole(["Host: x", "Content-Length: 2", *(f"X-{n}: x" for n in range(70))]),
        whole(["Host: x", "Content-Length: 101"], b"x" * 101),
        b"",
    ],
)
def test_left_to_aiohttp(data: bytes) -> None:
    assert read(data, 100) is None


async def test_pipelined_requests_are_answered_in_order_whichever_way_they_go() -> None:
    journal = CommandedJournal()
    async with webhook(journal=journal) as hook, hook.client() as client:
        parts = [good("e-1"), request(method="GET"), good("e-2"), request(b"{", {}), good("e-3")]
        for part in parts:
            await client.send(part)
            await asyncio.sleep(0)
        assert [(await client.answer()).status for _ in parts] == [200, 405, 200, 401, 200]
    assert [event.id for event in journal.events] == ["e-1", "e-2", "e-3"]


async def test_what_arrives_while_one_is_answered_waits_and_is_bounded() -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal) as hook, hook.client() as client:
        await client.send(good("e-1"))
        await until(lambda: hook.server.in_flight == 1)
        flood = asyncio.create_task(client.send(good("e-2") * 40_000))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(flood), 0.5)
        (connection,) = hook.server._server._connections.values()
        assert len(connection._held) < 1 << 20
        journal.auto = True
        journal.commit()
        assert (await client.answer()).status == 200
        flood.cancel()
        await asyncio.gather(flood, return_exceptions=True)


async def test_too_late_is_503_on_the_short_way_too_and_the_commit_goes_on() -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal, budget_seconds=0.2) as hook:
        assert (await hook.push(good("e-1"))).status == 503
        await counted(hook, "not_durable_in_time", 503)
        journal.auto = True
        journal.commit()
        await until(lambda: len(journal.events) == 1)
        answer = await hook.push(good("e-1"))
        assert answer.status == 200
