"""Hostile bytes on the socket: the right answer or none, everything refused is counted, nothing of it is logged or kept."""

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import pushes
from tests.doubles.pushes import KEY, TOKEN
from tests.doubles.raw_http import RawClient
from tests.doubles.sending import good
from tests.doubles.waiting import until
from tests.doubles.webhooks import Hook, webhook
from tests.hostile.attacks import MARK, Attack, attacks, requests
from tests.hostile.examples import many
from tests.journal.books import opened

REFUSALS = {400, 401, 404, 405, 408, 413, 415, 417, 503, 505}
STATUS = re.compile(rb"^HTTP/\d\.\d (\d{3}) ", re.MULTILINE)
AT_ONCE = 16
GONE = (ConnectionError, RuntimeError)
"""It was faster, and has closed: a socket says the one, uvloop the other."""


def refusals(hook: Hook) -> int:
    """All that were counted, whatever the reason."""
    samples = [each for metric in hook.telemetry.registry.collect() for each in metric.samples]
    return int(sum(each.value for each in samples if each.name == "fer_refused_total"))


async def said(client: RawClient, *, silence: bool = False) -> bytes:
    """All that comes back until the end, also where that is a reset; silence: or until it says nothing for a second."""
    parts: list[bytes] = []
    try:
        while part := await asyncio.wait_for(client.reader.read(1 << 16), 1.0 if silence else 30.0):
            parts.append(part)
    except ConnectionError:
        pass
    except TimeoutError:
        assert silence, "it neither answers nor closes"
    return b"".join(parts)


async def attack(hook: Hook, plan: Attack) -> list[int]:
    """Carry it out; the statuses that came back."""
    async with hook.client() as client:
        answers = asyncio.create_task(said(client, silence=plan.end == "stay"))
        try:
            for piece in plan.pieces:
                await client.send(piece)
                await asyncio.sleep(0)
            if plan.end == "half-close":
                client.writer.write_eof()
            elif plan.end == "reset" and not client.writer.transport.is_closing():
                client.reset()
            elif plan.end == "close":
                client.writer.close()
        except GONE:
            pass
        return statuses(await answers)


def statuses(answers: bytes) -> list[int]:
    return [int(status) for status in STATUS.findall(answers) if status != b"100"]


async def insist(hook: Hook, event_id: str) -> None:
    """Push until it is answered 200: a busy disk may cost a 503, and nothing else."""
    while (status := (await hook.push(good(event_id))).status) != 200:
        assert status == 503


async def under_attack(folder: Path, plans: Sequence[Attack]) -> tuple[list[list[int]], Hook]:
    """All of them at once, and good pushes meanwhile: those are answered 200."""
    async with (
        opened(folder) as journal,
        webhook(journal=journal, read_timeout_seconds=0.3, trusted_proxies=["127.0.0.1"]) as hook,
    ):
        attacking = [asyncio.create_task(attack(hook, plan)) for plan in plans]
        for number in range(3):
            await insist(hook, f"good-{number}")
        answers = await asyncio.gather(*attacking)
        await insist(hook, "good-after")
        await until(lambda: hook.server.open_connections == 0)
        assert hook.server.in_flight == hook.load.bytes == hook.load.pushes == 0
    return answers, hook


def check_log(hook: Hook) -> None:
    log = hook.log.getvalue()
    assert "worker_crashed" not in log
    for text in (MARK, KEY, TOKEN, "Traceback"):
        assert text not in log, f"{text} is in the log"


@many(0.15)
@given(data=st.data())
def test_whatever_is_sent(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("journal")
    plans = [data.draw(attacks(f"evil-{number}")) for number in range(AT_ONCE)]
    answers, hook = uvloop.run(under_attack(folder, plans))
    check_log(hook)
    came = [status for each in answers for status in each]
    assert set(came) <= REFUSALS | {200}
    assert sum(status != 200 for status in came) <= refusals(hook), "a refusal wasn't counted"
    sent = {f"evil-{number}" for number in range(AT_ONCE)} | {f"good-{number}" for number in range(3)} | {"good-after"}
    database = sqlite3.connect(folder / "journal.db")
    kept = [row[0] for row in database.execute("SELECT json_extract(body, '$.id') FROM events")]
    assert database.execute("SELECT count(*) FROM dead_letters").fetchone() == (0,)
    database.close()
    assert set(kept) <= sent
    assert len(kept) == len(set(kept)) >= 4


@many(0.15)
@given(data=st.data())
def test_one_piece_or_many_make_no_difference(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """What comes whole may go past aiohttp, what comes in pieces never does: both take the same requests."""
    whole = [data.draw(requests(f"evil-{number}")) for number in range(AT_ONCE)]
    cuts = [data.draw(st.integers(1, max(1, len(each) - 1))) for each in whole]
    plans = [Attack([each], "half-close") for each in whole]
    plans += [Attack([each[:cut], each[cut:]], "half-close") for each, cut in zip(whole, cuts, strict=True)]
    answers, _ = uvloop.run(under_attack(tmp_path_factory.mktemp("journal"), plans))
    taken = [200 in each for each in answers]
    for number, request in enumerate(whole):
        assert taken[number] == taken[number + AT_ONCE], request


HEADERS, BODY = pushes.signed(pushes.event())
SIZE = b"%x" % len(BODY)
POST = b"POST /webhook/event HTTP/1.1"


def sized(*lines: bytes, line: bytes = POST, host: bytes = b"Host: x", length: bytes | None = None) -> bytes:
    """A good push with a Content-Length, and something odd."""
    fields = [f"{name}: {value}".encode() for name, value in HEADERS.items()]
    count = b"Content-Length: " + (b"%d" % len(BODY) if length is None else length)
    return b"\r\n".join([each for each in (line, host, *fields, *lines, count) if each]) + b"\r\n\r\n" + BODY


def chunks(
    size: bytes = SIZE, *lines: bytes, te: bytes = b"chunked", tail: bytes = b"0\r\n\r\n", line: bytes = POST
) -> bytes:
    """A good push in one chunk, and something odd."""
    fields = [f"{name}: {value}".encode() for name, value in HEADERS.items()]
    return b"\r\n".join([line, b"Host: x", *fields, *lines, b"Transfer-Encoding: " + te, b"", size, BODY, tail])


WIRE: dict[str, tuple[bytes, int]] = {
    "as it should be": (sized(), 200),
    "folded header": (sized(b"X-A: a", b" b"), 400),
    "NUL in a header": (sized(b"X-A: a\0b"), 400),
    "carriage return in a header": (sized(b"X-A: a\rb"), 400),
    "bytes beyond ASCII in a header": (sized(b"X-A: \xe9\xff"), 200),
    "line feeds only": (sized().replace(b"\r\n", b"\n"), 400),
    "space before the colon": (sized(b"X-A : a"), 400),
    "no name": (sized(b": a"), 400),
    "no host": (sized(host=b""), 400),
    "two hosts": (sized(b"Host: y"), 400),
    "blank lines first": (b"\r\n\r\n" + sized(), 200),
    "HTTP/1.0": (sized(line=b"POST /webhook/event HTTP/1.0"), 200),
    "HTTP/1.2": (sized(line=b"POST /webhook/event HTTP/1.2"), 400),
    "HTTP/2.0": (sized(line=b"POST /webhook/event HTTP/2.0"), 505),
    "HTTP/0.9": (b"GET /webhook/event\r\n\r\n", 505),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "method in small letters": (sized(line=b"post /webhook/event HTTP/1.1"), 400),
    "tabs": (sized(line=b"POST\t/webhook/event\tHTTP/1.1"), 400),
    "no path": (sized(line=b"POST HTTP/1.1"), 400),
    "NUL in the path": (sized(line=b"POST /webhook/event\0 HTTP/1.1"), 400),
    "another path": (sized(line=b"POST /webhook/../webhook/event HTTP/1.1"), 404),
    "escaped path": (sized(line=b"POST /webhook/%65vent HTTP/1.1"), 404),
    "CONNECT": (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "TRACE": (b"TRACE /webhook/event HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    "WebSocket": (b"GET /webhook/event HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 405),
    "upgrade that is declined": (sized(b"Connection: Upgrade", b"Upgrade: h2c"), 200),
    "length twice": (sized(b"Content-Length: %d" % len(BODY)), 400),
    "length as a list": (sized(length=b"%d, %d" % (len(BODY), len(BODY))), 400),
    "length with a sign": (sized(length=b"+%d" % len(BODY)), 400),
    "length below zero": (sized(length=b"-1"), 400),
    "length in other digits": (sized(length="５".encode()), 400),
    "length beyond 64 bits": (sized(length=b"9" * 40), 400),
    "length empty": (sized(length=b""), 400),
    "length and chunks": (sized(b"Transfer-Encoding: chunked"), 400),
    "chunks": (chunks(), 200),
    "chunk extension": (chunks(SIZE + b";a=b"), 200),
    "line feed in a chunk extension": (chunks(SIZE + b";a\nb"), 400),
    "chunk size with zeros": (chunks(b"0000" + SIZE), 200),
    "chunk size with a sign": (chunks(b"+" + SIZE), 400),
    "chunk size with 0x": (chunks(b"0x" + SIZE), 400),
    "chunk size with a space": (chunks(b" " + SIZE), 400),
    "chunk size beyond 64 bits": (chunks(b"1" + b"0" * 16 + SIZE), 400),
    "chunk size empty": (chunks(b""), 400),
    "chunk longer than said": (chunks(b"1"), 400),
    "trailer": (chunks(tail=b"0\r\nX-A: b\r\n\r\n"), 200),
    "trailer that frames": (chunks(tail=b"0\r\nContent-Length: 5\r\n\r\n"), 400),
    "chunked twice": (chunks(te=b"chunked, chunked"), 400),
    "chunked not last": (chunks(te=b"chunked, identity"), 400),
    "chunked hidden": (chunks(te=b"\x0bchunked"), 400),
    "another coding": (chunks(te=b"identity"), 400),
    "chunks and length": (chunks(SIZE, b"Content-Length: 5"), 400),
    "signature twice, the wrong one last": (sized(b"X-Lark-Signature: 00"), 200),
    "no body": (POST + b"\r\nHost: x\r\n\r\n", 401),
}  # fmt: skip


async def test_each_oddity_has_its_status_and_one_answer(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal, webhook(journal=journal, read_timeout_seconds=0.5) as hook:
        for name, (data, status) in WIRE.items():
            before = refusals(hook)
            async with hook.client() as client:
                await client.send(data)
                client.writer.write_eof()
                answer = await client.rest()
            assert statuses(answer) == [status], name
            assert refusals(hook) - before == (status != 200), name
        check_log(hook)


@pytest.mark.parametrize("name", [name for name, (_, status) in WIRE.items() if status in (400, 505)])
async def test_nothing_is_taken_after_what_makes_no_sense(tmp_path: Path, name: str) -> None:
    async with opened(tmp_path) as journal, webhook(journal=journal, read_timeout_seconds=0.5) as hook:
        async with hook.client() as client:
            await client.send(WIRE[name][0] + good("smuggled"))
            client.writer.write_eof()
            assert 200 not in statuses(await client.rest())
        assert journal.head == 0


async def drip(hook: Hook, data: bytes) -> list[int]:
    """Byte by byte, until it is ended."""
    async with hook.client() as client:
        answers = asyncio.create_task(said(client))
        for byte in data:
            if answers.done():
                break
            with contextlib.suppress(*GONE):
                await client.send(bytes([byte]))
            await asyncio.sleep(0.01)
        return statuses(await answers)


SLOW = {
    "head": b"POST /webhook/event HTTP/1.1\r\nX-A: " + b"x" * 4000,
    "blank lines": b"\r\n" * 2000,
    "body": sized()[: -len(BODY)] + b"x" * 4000,
    "chunk sizes": b"POST /webhook/event HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 800,
    "chunk extension": b"POST /webhook/event HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 4000,
    "trailers": b"POST /webhook/event HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X-A: b\r\n" * 500,
}  # fmt: skip


async def test_whatever_drips_in_is_ended_in_time_and_good_pushes_pass() -> None:
    async with webhook(read_timeout_seconds=0.5) as hook:
        async with asyncio.timeout(25):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(drip(hook, data)) for data in SLOW.values() for _ in range(5)]
                for number in range(10):
                    assert (await hook.push(good(f"good-{number}"))).status == 200
        assert [task.result() for task in tasks] == [[408]] * len(tasks)
        assert refusals(hook) == len(tasks)
