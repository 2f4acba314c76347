"""Every limit of the webhook, over real sockets: its status, its counted reason, and that good pushes still get through."""

import asyncio
import gzip
import time

import pytest

from router.ingress.server import MAX_HEADER_BYTES, MAX_HEADERS
from router.journal.contract import JournalFailedError, JournalFullError
from tests.doubles import pushes
from tests.doubles.commanded_journal import CommandedJournal
from tests.doubles.raw_http import RawClient, request
from tests.doubles.waiting import until
from tests.doubles.webhooks import Hook, webhook


def good(event_id: str = "e-1", size: int = 0) -> bytes:
    headers, body = pushes.signed(pushes.event(event_id, size=size))
    return request(body, headers)


def chunked(body: bytes, headers: dict[str, str], size: int = 100) -> bytes:
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return (
        f"POST /webhook/event HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{head}\r\n".encode()
        + framed
        + b"0\r\n\r\n"
    )


async def still_works(hook: Hook) -> None:
    assert (await hook.push(good("after"))).status == 200


async def counted(hook: Hook, reason: str, status: str | int, count: float = 1) -> None:
    await until(lambda: hook.refused(reason, status) >= count)
    assert hook.refused(reason, status) == count


# Bodies


async def test_a_body_too_large_is_413_before_it_is_read() -> None:
    async with webhook(max_body_bytes=2048) as hook:
        async with hook.client() as client:
            await client.send(b"POST /webhook/event HTTP/1.1\r\nHost: x\r\nContent-Length: 2049\r\n\r\n")
            answer = await client.answer()
            assert (answer.status, answer.body) == (413, b'{"error":"body_too_large"}')
            assert answer.headers["connection"] == "close"
        await counted(hook, "body_too_large", 413)
        await still_works(hook)


async def test_a_body_too_large_in_one_piece_is_413() -> None:
    async with webhook(max_body_bytes=2048) as hook:
        assert (await hook.push(good(size=3000))).status == 413
        await still_works(hook)


async def test_a_chunked_body_too_large_is_413_while_it_is_read() -> None:
    headers, body = pushes.signed(pushes.event(size=100_000))
    async with webhook(max_body_bytes=2048) as hook:
        async with hook.client() as client:
            await client.send(chunked(body, headers)[:8000])
            assert (await client.answer()).status == 413
        assert hook.load.bytes == 0
        await still_works(hook)


async def test_a_chunked_body_is_taken() -> None:
    headers, body = pushes.signed(pushes.event())
    async with webhook() as hook:
        assert (await hook.push(chunked(body, headers, size=7))).status == 200


async def test_a_body_in_pieces_is_taken_and_the_connection_lives_on() -> None:
    journal = CommandedJournal()
    async with webhook(journal=journal) as hook, hook.client() as client:
        for n in range(3):
            data = good(f"e-{n}", size=300_000)
            for at in range(0, len(data), 50_000):
                await client.send(data[at : at + 50_000])
            assert (await client.answer()).status == 200
        assert len(journal.events) == 3


async def test_a_body_that_does_not_complete_is_408() -> None:
    async with webhook(read_timeout_seconds=0.2) as hook:
        async with hook.client() as client:
            await client.send(good()[:-1])
            answer = await client.answer()
            assert (answer.status, answer.body) == (408, b'{"error":"body_timeout"}')
            assert await client.rest() == b""
        await counted(hook, "body_timeout", 408)
        await still_works(hook)


async def test_a_body_dripping_in_does_not_prolong_its_time() -> None:
    async with webhook(read_timeout_seconds=0.4) as hook, hook.client() as client:
        begun = time.monotonic()
        await client.send(good()[:-400])
        dripping = asyncio.create_task(drip(client, b"x" * 400))
        assert (await client.answer()).status == 408
        assert time.monotonic() - begun < 1.0
        dripping.cancel()


async def drip(client: RawClient, data: bytes) -> None:
    try:
        for byte in data:
            await client.send(bytes([byte]))
            await asyncio.sleep(0.02)
    except ConnectionError:
        return


async def test_broken_chunks_are_ended_like_a_body_that_does_not_complete() -> None:
    async with webhook(read_timeout_seconds=0.3) as hook:
        async with hook.client() as client:
            await client.send(b"POST /webhook/event HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
            await until(lambda: hook.server.in_flight == 1)
            await client.send(b"cde\r\nzz\r\n")
            assert (await client.answer()).status == 408
            assert await client.rest() == b""
        await still_works(hook)


async def test_a_client_gone_amid_its_body_is_counted() -> None:
    async with webhook() as hook:
        async with hook.client() as client:
            await client.send(good()[:-10])
            await until(lambda: hook.server.in_flight == 1)
        await counted(hook, "body_incomplete", 400)
        await still_works(hook)


async def test_a_gzip_bomb_is_not_unpacked() -> None:
    async with webhook() as hook:
        body = gzip.compress(b"0" * 50_000_000)
        assert (await hook.push(request(body, {"Content-Encoding": "gzip"}))).status == 415


async def test_expect_100_continue() -> None:
    headers, body = pushes.signed(pushes.event())
    head, _, _ = request(body, headers | {"Expect": "100-continue"}).partition(b"\r\n\r\n")
    async with webhook() as hook, hook.client() as client:
        await client.send(head + b"\r\n\r\n")
        assert (await client.answer()).status == 100
        await client.send(body)
        assert (await client.answer()).status == 200
        assert (await client.push(good("next"))).status == 200


async def test_expect_100_continue_is_not_invited_to_send_too_much() -> None:
    head = request(b"", {"Expect": "100-continue"}).replace(b"Content-Length: 0", b"Content-Length: 99999999")
    async with webhook() as hook:
        assert (await hook.push(head)).status == 413


async def test_another_expectation_is_417() -> None:
    data = request(b"x" * 10, {"Expect": "miracles"})[:-10]
    async with webhook() as hook:
        assert (await hook.push(data)).status == 417
        await counted(hook, "expectation", 417)


# Heads


async def test_a_head_that_does_not_complete_is_ended() -> None:
    async with webhook(read_timeout_seconds=0.3) as hook:
        async with hook.client() as client:
            begun = time.monotonic()
            dripping = asyncio.create_task(drip(client, b"POST /webhook/event HTTP/1.1\r\nHost: " + b"x" * 400))
            assert (await client.answer()).status == 408
            assert time.monotonic() - begun < 1.0
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


# Connections


async def test_too_many_connections_are_closed_at_once() -> None:
    async with webhook(max_connections=3) as hook:
        clients = [hook.client() for _ in range(3)]
        for client in clients:
            await client.__aenter__()
        await until(lambda: hook.server.open_connections == 3)
        async with hook.client() as extra:
            assert await extra.rest() == b""
        await counted(hook, "too_many_connections", "closed")
        assert (await clients[0].push(good())).status == 200
        for client in clients:
            await client.__aexit__()
        await until(lambda: hook.server.open_connections == 0)
        await still_works(hook)


async def test_a_thousand_idle_connections_hold_nothing_up() -> None:
    async with webhook(max_connections=1001, keepalive_seconds=60) as hook:
        clients = [hook.client() for _ in range(1000)]
        await asyncio.gather(*(client.__aenter__() for client in clients))
        await until(lambda: hook.server.open_connections == 1000)
        begun = time.monotonic()
        await still_works(hook)
        assert time.monotonic() - begun < 1.0
        assert await hook.server.stop_accepting(5) == 0
        for client in clients:
            await client.__aexit__()


async def test_a_peer_that_reads_no_answers_is_cut_off() -> None:
    async with webhook(read_timeout_seconds=0.3) as hook:
        async with hook.client() as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # the stub knows no two-way transport
            flood = request(method="GET") * 1000

            async def send() -> None:
                while True:
                    client.writer.write(flood)
                    await client.writer.drain()

            sending = asyncio.create_task(send())
            await counted(hook, "answer_not_read", "closed")
            sending.cancel()
            await asyncio.wait([sending])
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
                await client.rest(3.0)
        await until(lambda: hook.server.open_connections == 0)
        await still_works(hook)


# Too much at once


async def test_too_many_pushes_in_flight_are_503() -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal, max_in_flight=2) as hook, hook.client() as one, hook.client() as two:
        await one.send(good("e-1"))
        await two.send(good("e-2"))
        await journal.wait_appended(2)
        answer = await hook.push(good("e-3"))
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        await counted(hook, "too_much_in_flight", 503)
        journal.commit()
        assert {(await one.answer()).status, (await two.answer()).status} == {200}
        journal.auto = True
        await still_works(hook)


async def test_too_many_bytes_in_flight_are_503() -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal, max_in_flight_bytes=1 << 20) as hook, hook.client() as one:
        await one.send(good("e-1", size=700_000))
        await journal.wait_appended(1)
        assert (await hook.push(good("e-2", size=700_000))).status == 503
        journal.commit()
        assert (await one.answer()).status == 200
        assert (hook.load.bytes, hook.load.pushes) == (0, 0)


async def test_what_was_given_up_still_counts_until_the_journal_has_settled_it() -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal, max_in_flight=1, budget_seconds=0.1) as hook:
        assert (await hook.push(good("e-1"))).body == b'{"error":"not_durable_in_time"}'
        assert (await hook.push(good("e-2"))).body == b'{"error":"too_much_in_flight"}'
        journal.commit()
        journal.auto = True
        await still_works(hook)


# The journal


async def test_late_is_503_and_the_commit_goes_on_so_that_the_next_copy_is_a_duplicate() -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal, budget_seconds=0.3) as hook:
        begun = time.monotonic()
        answer = await hook.push(good("late"))
        assert 0.2 < time.monotonic() - begun < 0.4
        assert (answer.status, answer.body) == (503, b'{"error":"not_durable_in_time"}')
        await counted(hook, "not_durable_in_time", 503)
        journal.commit()
        journal.auto = True
        assert (await hook.push(good("late"))).status == 200
        assert len(journal.events) == hook.count("stored", app="") == hook.count("duplicates", app="") == 1


async def test_a_client_gone_does_not_cancel_the_commit() -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal) as hook:
        async with hook.client() as client:
            await client.send(good("gone"))
            await journal.wait_appended(1)
        await until(lambda: hook.server.open_connections == 0)
        journal.commit()
        await until(lambda: hook.count("stored", app="") == 1)
        assert [event.id for event in journal.events] == ["gone"]
        await until(lambda: hook.server.in_flight == 0)


async def test_a_failed_commit_gives_every_copy_503() -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal) as hook, hook.client() as one, hook.client() as two:
        await one.send(good("copy"))
        await two.send(good("copy"))
        await journal.wait_appended(2)
        journal.fail(JournalFailedError("disk on fire"))
        for client in (one, two):
            answer = await client.answer()
            assert (answer.status, answer.body) == (503, b'{"error":"journal_failed"}')
            assert "retry-after" in answer.headers
        assert journal.events == []
        assert hook.refused("journal_failed", 503) == 2


async def test_a_full_journal_is_503_and_its_holder_is_named_in_the_log_only() -> None:
    journal = CommandedJournal()
    journal.refuse = JournalFullError("full", holder="slow-sink")
    async with webhook(journal=journal) as hook:
        answer = await hook.push(good())
        assert (answer.status, answer.headers["retry-after"]) == (503, "30")
        assert b"slow-sink" not in answer.body
        assert "slow-sink" in hook.log.getvalue()
        assert hook.refused("journal_full", 503) == 1


@pytest.mark.parametrize("error", [RuntimeError("bug"), asyncio.CancelledError()])
async def test_whatever_goes_wrong_in_a_commit_is_503(error: BaseException) -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(journal=journal) as hook, hook.client() as client:
        await client.send(good())
        await journal.wait_appended(1)
        journal.fail(error)
        assert (await client.answer()).status == 503
