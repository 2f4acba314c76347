"""Heads, garbage and half-closed peers: what one connection may do."""

import asyncio
import contextlib
import gc
import socket
import time

import pytest

from router.ingress.server import MAX_HEADER_BYTES, MAX_HEADERS
from tests.doubles.commanded_journal import CommandedJournal
from tests.doubles.raw_http import request
from tests.doubles.sending import counted, drip, good, still_works
from tests.doubles.waiting import until
from tests.doubles.webhooks import webhook


async def test_a_head_that_does_not_complete_is_ended() -> None:
    async with webhook(read_timeout_seconds=0.3) as hook:
        async with hook.client() as client:
            dripping = asyncio.create_task(drip(client, b"POST /webhook/event HTTP/1.1\r\nHost: " + b"x" * 400))
            assert (await client.answer()).status == 408
            assert not dripping.done(), "what drips in prolongs its time"
            assert await client.rest() == b""
            dripping.cancel()
        await counted(hook, "head_timeout", 408)
        await still_works(hook)


async def test_a_second_head_that_does_not_complete_is_ended_too() -> None:
    async with webhook(read_timeout_seconds=0.3) as hook, hook.client() as client:
        assert (await client.push(good())).status == 200
        await client.send(b"POST /web")
        assert (await client.answer()).status == 408


async def test_silent_connections_are_closed_after_the_keepalive() -> None:
    async with (
        webhook(keepalive_seconds=0.3, read_timeout_seconds=60) as hook,
        hook.client() as fresh,
        hook.client() as used,
    ):
        assert (await used.push(good())).status == 200
        assert await fresh.rest() == b""
        assert await used.rest() == b""


async def test_a_connection_that_is_used_lives_as_long_as_it_is() -> None:
    async with webhook(keepalive_seconds=1) as hook, hook.client() as client:
        begun = time.monotonic()
        while time.monotonic() - begun < 2.5:
            assert (await client.push(good())).status == 200
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Big": "x" * (MAX_HEADER_BYTES + 1)},
        {"X" * (MAX_HEADER_BYTES + 1): "x"},
        {f"X-{n}": "x" for n in range(MAX_HEADERS + 1)},
        {"X-Big": "x" * 5_000_000},
    ],
    ids=["value", "name", "count", "huge"],
)
async def test_heads_too_large_are_400(headers: dict[str, str]) -> None:
    async with webhook() as hook:
        async with hook.client() as client:
            try:
                await client.send(request(b"{}", headers))
                answer = await client.answer()
            except ConnectionError:  # it may close before we have sent it all
                pass
            else:
                assert answer.status == 400
        await counted(hook, "not_http", 400)
        assert "Traceback" not in hook.log.getvalue()
        await still_works(hook)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"POST /webhook/event HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /webhook/event HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /webhook/event HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /webhook/event HTTP/1.1\r\nHo st: x\r\n\r\n",
        b"POST http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["tls", "http2", "words", "negative", "two-lengths", "smuggled", "header-name", "url"],
)
async def test_garbage_is_400_counted_and_closed(garbage: bytes) -> None:
    async with webhook() as hook:
        async with hook.client() as client:
            await client.send(garbage)
            assert (await client.answer()).status == 400
            assert await client.rest() == b""
        await counted(hook, "not_http", 400)
        assert "Traceback" not in hook.log.getvalue()
        await still_works(hook)


async def test_a_peer_that_reads_no_answers_is_cut_off() -> None:
    async with webhook(read_timeout_seconds=0.3) as hook:
        async with hook.client() as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # the stub knows no two-way transport
            flood = request(method="GET") * 10_000

            async def send() -> None:
                while True:
                    client.writer.write(flood)
                    await client.writer.drain()

            sending = asyncio.create_task(send())
            await until(lambda: hook.refused("answer_not_read", "closed") == 1, 60)
            sending.cancel()
            await asyncio.wait([sending])
        await still_works(hook)


async def test_a_peer_that_reads_no_answers_does_not_keep_its_connection() -> None:
    async with webhook(keepalive_seconds=0.2) as hook:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            host, _, port = hook.address.rpartition(":")
            client.connect((host, int(port)))
            client.settimeout(0)
            await until(lambda: hook.server.open_connections == 1)
            (connection,) = hook.server._server._connections.values()
            ask = request(method="GET")
            while connection.transport.get_write_buffer_size() == 0:  # until the answers no longer fit into the kernel
                with contextlib.suppress(TimeoutError):  # it may be full just now in both directions
                    await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(client, ask), 1)
            await until(lambda: hook.server.open_connections == 0)
        await still_works(hook)


async def test_a_half_closed_peer_still_gets_its_answer() -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal) as hook, hook.client() as client:
        await client.send(good())
        client.writer.write_eof()
        await journal.wait_appended(1)
        journal.commit()
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await client.rest() == b""


async def test_a_half_closed_peer_that_said_too_little_is_ended() -> None:
    async with webhook() as hook:
        for part in (b"", b"POST /web", good()[:-5]):
            async with hook.client() as client:
                await client.send(part)
                client.writer.write_eof()
                await client.rest()
        await until(lambda: hook.server.open_connections == 0)
        await still_works(hook)


@pytest.mark.parametrize("turns", range(5))
async def test_a_peer_gone_at_any_moment_is_no_crash(turns: int) -> None:
    async with webhook() as hook:
        client, server = socket.socketpair()
        with client:
            transport, protocol = await asyncio.get_running_loop().connect_accepted_socket(hook.server.connect, server)
            await asyncio.sleep(0)
            protocol.data_received(good())
            for _ in range(turns):
                await asyncio.sleep(0)
            transport.abort()
            await until(lambda: hook.server.open_connections == 0)
        await still_works(hook)
        gc.collect()  # tasks that failed unseen tell when they are collected
        assert "worker_crashed" not in hook.log.getvalue()
