"""Bodies: too large, too slow, broken, chunked, invited; each with its status and counted reason."""

import asyncio
import gzip

import pytest

from tests.doubles import pushes
from tests.doubles.commanded_journal import CommandedJournal
from tests.doubles.raw_http import request
from tests.doubles.sending import counted, drip, good, still_works
from tests.doubles.waiting import until
from tests.doubles.webhooks import webhook


def chunked(body: bytes, headers: dict[str, str], size: int = 100) -> bytes:
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return (
        f"POST /webhook/event HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{head}\r\n".encode()
        + framed
        + b"0\r\n\r\n"
    )


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
        assert (len(journal.events), hook.load.bytes) == (3, 0)


async def test_the_pieces_of_a_body_are_not_taken_for_the_next_head() -> None:
    data = good()
    async with webhook(read_timeout_seconds=1) as hook, hook.client() as client:
        await client.send(data[:-50])
        await until(lambda: hook.server.in_flight == 1)
        await client.send(data[-50:])
        assert (await client.answer()).status == 200
        with pytest.raises(TimeoutError):  # no 408 although the time of a head has passed
            await client.answer(patience=1.5)
        assert (await client.push(good("next"))).status == 200


async def test_an_answer_before_the_body_ends_the_connection() -> None:
    data = good(path="/elsewhere")
    async with webhook() as hook, hook.client() as client:
        await client.send(data[:-50])
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (404, "close")
        await client.send(data[-50:])
        assert await client.rest() == b""


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
        await client.send(good()[:-400])
        dripping = asyncio.create_task(drip(client, b"x" * 400))
        assert (await client.answer()).status == 408
        assert not dripping.done(), "what drips in prolongs its time"
        dripping.cancel()


async def test_broken_chunks_are_ended_like_a_body_that_does_not_complete() -> None:
    async with webhook(read_timeout_seconds=1) as hook:
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
