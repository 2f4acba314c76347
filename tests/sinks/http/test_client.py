"""One request against receivers that misbehave in every way."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest

from router.clock import SystemClock
from sinks.contract import DELIVERED, Outcome, Rejected, Retry, Unavailable
from sinks.http.client import DRAIN_BYTES, Client
from sinks.http.encode import structured
from sinks.http.settings import HttpSettings
from sinks.http.tls import context
from tests.doubles.receiver import (
    Behaviour,
    Receiver,
    endless,
    hang,
    hang_up,
    raw_server,
    reply,
    reset,
    reset_within,
    stalling,
)
from tests.sinks.http.conftest import OpenSink
from tests.sinks.http.samples import envelope

SECRET = "s3cr3t-that/is&never+shown"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as running:
        yield running


async def outcome_of(open_sink: OpenSink, receiver: Receiver, behave: Behaviour, **settings: Any) -> Outcome:
    receiver.behave = behave
    sink = await open_sink(url=receiver.url, **settings)
    [outcome] = await sink.deliver([envelope()])
    return outcome


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
async def test_success_is_delivered(open_sink: OpenSink, receiver: Receiver, status: int) -> None:
    assert await outcome_of(open_sink, receiver, reply(status)) == DELIVERED


@pytest.mark.parametrize("status", [408, 425, 500, 501, 505, 507, 599, 402, 418, 451, 600, 999])
async def test_statuses_to_retry(open_sink: OpenSink, receiver: Receiver, status: int) -> None:
    outcome = await outcome_of(open_sink, receiver, reply(status, b"no\x1b[31m\n\tgood"))
    assert outcome == Retry(f"http_{status}", f"answered {status} with: no [31m good")


@pytest.mark.parametrize("status", [401, 403, 404, 405, 407, 410, 429, 502, 503, 504])
async def test_statuses_of_a_sick_receiver(open_sink: OpenSink, receiver: Receiver, status: int) -> None:
    assert await outcome_of(open_sink, receiver, reply(status)) == Unavailable(f"http_{status}", f"answered {status}")


@pytest.mark.parametrize("status", [400, 409, 413, 414, 415, 422])
async def test_statuses_that_reject(open_sink: OpenSink, receiver: Receiver, status: int) -> None:
    assert await outcome_of(open_sink, receiver, reply(status)) == Rejected(f"http_{status}", f"answered {status}")


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
async def test_redirects_are_not_followed(open_sink: OpenSink, receiver: Receiver, status: int) -> None:
    behave = reply(status, headers={"Location": f"http://127.0.0.1:{receiver.port}/hook/loop?token=abc"})
    outcome = await outcome_of(open_sink, receiver, behave)
    assert isinstance(outcome, Unavailable)
    assert outcome.reason == f"http_{status}"
    assert f"points to http://127.0.0.1:{receiver.port}/hook/loop?…)" in outcome.detail
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("location", ["", "http://[::1/", "//", "\t"])
async def test_redirects_to_nowhere(open_sink: OpenSink, receiver: Receiver, location: str) -> None:
    outcome = await outcome_of(open_sink, receiver, reply(302, headers={"Location": location}))
    assert isinstance(outcome, Unavailable)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_retry_after_is_passed_on(open_sink: OpenSink, receiver: Receiver, status: int) -> None:
    outcome = await outcome_of(open_sink, receiver, reply(status, headers={"Retry-After": "17"}))
    assert isinstance(outcome, Retry | Unavailable)
    assert outcome.after == 17.0


async def test_a_settled_status_table_is_used(open_sink: OpenSink, receiver: Receiver) -> None:
    outcome = await outcome_of(open_sink, receiver, reply(404), rejected_statuses="404")
    assert isinstance(outcome, Rejected)


async def test_no_answer_in_time_is_this_events_matter(open_sink: OpenSink, receiver: Receiver) -> None:
    outcome = await outcome_of(open_sink, receiver, hang, timeout_seconds=0.2)
    assert outcome == Retry("timeout", "no answer within TIMEOUT_SECONDS")


@pytest.mark.parametrize("behave", [reset, hang_up])
async def test_a_connection_that_ends_without_an_answer(
    open_sink: OpenSink, receiver: Receiver, behave: Behaviour
) -> None:
    outcome = await outcome_of(open_sink, receiver, behave)
    assert isinstance(outcome, Unavailable)
    assert outcome.reason in {"network", "disconnected"}
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("behave", [reset_within, stalling, endless])
async def test_the_status_is_the_answer_however_the_body_ends(
    open_sink: OpenSink, receiver: Receiver, behave: Any
) -> None:
    async with asyncio.timeout(60):  # the sink itself would wait longer
        assert await outcome_of(open_sink, receiver, behave(200), timeout_seconds=100) == DELIVERED
        outcome = await outcome_of(open_sink, receiver, behave(503), timeout_seconds=100)
    assert isinstance(outcome, Unavailable)
    assert outcome.reason == "http_503"


async def test_an_endless_body_is_broken_off(open_sink: OpenSink, receiver: Receiver) -> None:
    await outcome_of(open_sink, receiver, endless(200))
    async with asyncio.timeout(30):
        await receiver.broken_off.wait()
    assert receiver.streamed < DRAIN_BYTES + (16 << 20)  # the kernel's buffers on both sides


async def test_a_gzip_bomb_is_neither_opened_nor_shown(open_sink: OpenSink, receiver: Receiver) -> None:
    bomb = gzip.compress(b"\0" * (64 << 20))
    outcome = await outcome_of(open_sink, receiver, reply(500, bomb, {"Content-Encoding": "gzip"}))
    assert outcome == Retry("http_500", "answered 500")
    assert receiver.requests[0].headers["accept-encoding"] == "identity"


async def test_a_compressed_answer_is_counted_as_it_came(open_sink: OpenSink, receiver: Receiver) -> None:
    """48 MiB of zeros are less than 64 KiB compressed: read whole, so the connection is kept."""
    receiver.behave = reply(200, gzip.compress(b"\0" * (48 << 20)), {"Content-Encoding": "gzip"})
    sink = await open_sink(url=receiver.url)
    assert await sink.deliver([envelope()]) == await sink.deliver([envelope()]) == [DELIVERED]
    assert len({request.peer for request in receiver.requests}) == 1


async def test_a_receiver_that_answers_before_it_has_read_all(open_sink: OpenSink) -> None:
    async with raw_server(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as port:
        sink = await open_sink(url=f"http://127.0.0.1:{port}/")
        [outcome] = await sink.deliver([envelope(data={"text": "x" * (8 << 20)})])
        assert isinstance(outcome, Rejected | Unavailable)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.1 banana\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 2",
        b"",
    ],
)
async def test_what_is_no_http_is_unavailable(open_sink: OpenSink, answer: bytes) -> None:
    async with raw_server(answer) as port:
        sink = await open_sink(url=f"http://127.0.0.1:{port}/")
        [outcome] = await sink.deliver([envelope()])
        assert isinstance(outcome, Unavailable)
        assert outcome.reason in {"not_http", "disconnected", "network"}


async def test_broken_chunks_after_the_head_change_nothing(open_sink: OpenSink) -> None:
    async with raw_server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n") as port:
        sink = await open_sink(url=f"http://127.0.0.1:{port}/")
        [outcome] = await sink.deliver([envelope()])
        assert outcome == DELIVERED or isinstance(outcome, Unavailable)


async def test_interim_answers_are_passed_over(open_sink: OpenSink) -> None:
    answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
    async with raw_server(answer) as port:
        sink = await open_sink(url=f"http://127.0.0.1:{port}/")
        assert await sink.deliver([envelope()]) == [DELIVERED]


async def test_what_the_receiver_echoes_of_our_secrets_is_masked(open_sink: OpenSink, receiver: Receiver) -> None:
    """A receiver that shows the request in its error page: as text, as JSON, in HTML."""

    async def echo(running: Receiver, request: Any, received: Any) -> Any:
        shown = f"{received.path} {dict(received.headers)}"
        return await reply(500, shown.encode())(running, request, received)

    for settings in (
        {"headers": f"X-Key: {SECRET}", "bearer_token": SECRET.replace("t", "q")},
        {"basic_username": "user", "basic_password": SECRET},
    ):
        outcome = await outcome_of(open_sink, receiver, echo, **settings)
        assert isinstance(outcome, Retry)
        assert "authorization" in str(dict(receiver.requests[-1].headers)).lower()
        for secret in (SECRET, SECRET.replace("t", "q"), receiver.requests[-1].headers["authorization"].split()[1]):
            assert secret not in outcome.detail
        assert "***" in outcome.detail


async def test_answers_are_not_quoted_when_that_is_not_wanted(open_sink: OpenSink, receiver: Receiver) -> None:
    outcome = await outcome_of(open_sink, receiver, reply(500, b"private"), show_answer="false")
    assert outcome == Retry("http_500", "answered 500")


async def test_a_receiver_that_listens_no_more(open_sink: OpenSink, receiver: Receiver) -> None:
    sink = await open_sink(url=receiver.url, keepalive_seconds=0)
    await receiver.stop()
    [outcome] = await sink.deliver([envelope()])
    assert outcome == Unavailable("connect", "the connection can't be made: Connection refused")


async def test_a_client_that_was_closed_is_unavailable(receiver: Receiver) -> None:
    settings = HttpSettings.model_validate({"type": "http", "url": receiver.url})
    client = Client(settings, context(settings), SystemClock())
    await client.close()
    answer = await client.post(structured(envelope()), ["e1"])
    assert isinstance(answer.outcome, Unavailable)


async def test_the_environments_proxy_is_not_used(
    open_sink: OpenSink, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert await outcome_of(open_sink, receiver, reply()) == DELIVERED
