"""What goes over a program's connection, and what a program may do to it."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from router.feishu import frames
from router.feishu.frames import Frame
from router.settings.model import WsSettings
from router.subscribers import session as session_module
from sinks.contract import Delivered
from sinks.testing.events import make_envelope
from tests.doubles.hurried import HurriedClock
from tests.doubles.program import Program
from tests.doubles.programs import Port, port
from tests.doubles.waiting import until

CUT = 1006
"""What a client says of a connection that ended without a close."""


async def still_works(here: Port, program: Program, number: int = 77) -> None:
    [outcome] = await here.sink.deliver([make_envelope(number)])
    assert isinstance(outcome, Delivered)
    assert program.events[-1]["header"]["event_id"] == f"event-{number}"


async def test_pings_are_answered_with_the_whole_configuration() -> None:
    async with port() as here, here.program() as program:
        await until(lambda: len(program.pongs) == 1)
        config = orjson.loads(program.pongs[0])
        assert set(config) == {"ReconnectCount", "ReconnectInterval", "ReconnectNonce", "PingInterval"}
        assert all(type(value) is int and value > 0 for value in config.values())


async def test_the_first_event_waits_for_the_first_ping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "READY_SECONDS", 60.0)
    async with port() as here:
        program = here.program()
        await program.connect(ping=False)
        delivering = asyncio.create_task(here.sink.deliver([make_envelope(1)]))
        await until(lambda: bool(here.sink.pool.slots._waiting))
        assert (here.sink.pool.unanswered, program.events) == (0, [])
        await program.ping()
        [outcome] = await delivering
        assert isinstance(outcome, Delivered)


async def test_who_never_pings_gets_events_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "READY_SECONDS", 0.05)
    async with port() as here:
        program = here.program()
        await program.connect(ping=False)
        await still_works(here, program)


async def test_an_event_has_what_each_sdk_insists_on_and_no_key_twice() -> None:
    async with port() as here, here.program() as program:
        await still_works(here, program)
        [headers] = program.headers
        assert set(headers) >= {"type", "message_id", "trace_id", "sum", "seq"}
        assert len(headers) == len(set(headers))


GARBAGE = [
    b"",
    b"\xff" * 100,
    frames.ping(1)[:-3],
    frames.encode(Frame(1, 1, 1, 7, (("type", "event"),))),
    frames.encode(
        Frame(1, 1, 1, frames.DATA, (("type", "event"), ("message_id", "nobody's")), payload=b'{"code":200}')
    ),
    frames.encode(Frame(1, 1, 1, frames.DATA, ())),
    frames.pong(1, b"{}"),
]


async def test_what_cannot_be_read_ends_nothing() -> None:
    async with port() as here, here.program() as program:
        for data in GARBAGE:
            await program.write(data)
        await program.write_text("hello")
        await still_works(here, program)
        assert here.counted('fer_subscriber_broken_frames_total{sink="s"}') == 5


async def test_random_bytes_end_nothing_until_they_are_too_many() -> None:
    rng = random.Random(7)
    async with port() as here, here.program() as program:
        for _ in range(session_module.NUISANCES - 10):
            await program.write(rng.randbytes(rng.randrange(60)))
        await still_works(here, program)
        for _ in range(50):
            await program.write(rng.randbytes(10))
        await program.gone()
        assert program.close_code == 1008
        await until(lambda: here.counted('fer_subscribers_gone_total{reason="misbehaved",sink="s"}') == 1)


@pytest.mark.parametrize("beat", [Program.ping, Program.ping_frame, Program.pong_frame])
async def test_a_flood_of_pings_is_too_much(beat: Callable[[Program], Awaitable[None]]) -> None:
    async with port() as here, here.program() as program:
        for _ in range(session_module.NUISANCES + 2):
            await beat(program)
        await program.gone()
        assert program.close_code == 1008


@pytest.mark.parametrize("beat", [Program.ping_frame, Program.pong_frame])
async def test_who_pings_with_frames_of_the_websocket_alone_stays(beat: Callable[[Program], Awaitable[None]]) -> None:
    ws = WsSettings(listen="127.0.0.1:0", ping_interval_seconds=10, handshake_seconds=3600)
    async with port(ws, HurriedClock(10.0)) as here, here.program() as program, here.program() as silent:
        looking = asyncio.create_task(here.server.look())
        beating = asyncio.create_task(keep_beating(program, beat))
        await silent.gone()
        assert len(here.sink.pool.lines) == 1
        for task in (looking, beating):
            task.cancel()


async def keep_beating(program: Program, beat: Callable[[Program], Awaitable[None]]) -> None:
    while True:
        await beat(program)
        await asyncio.sleep(0.1)


async def test_a_message_too_large_ends_the_connection() -> None:
    async with port() as here, here.program() as program:
        await program.write(bytes((1 << 20) + 1))
        await program.gone()
        assert program.close_code == 1009
        await until(lambda: here.counted('fer_subscribers_gone_total{reason="misbehaved",sink="s"}') == 1)


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b'{"code":"200"}', b'{"code":true}', b'{"code":2e2}', None])
async def test_an_acknowledgement_without_a_code_is_a_failure(payload: bytes | None) -> None:
    async with port() as here, here.program(never) as program:
        delivering = asyncio.create_task(here.sink.deliver([make_envelope(1)]))
        await program.got(1)
        headers = (("type", "event"), ("message_id", program.messages[0]))
        await program.write(frames.encode(Frame(1, 1, 1, frames.DATA, headers, payload=payload)))
        [outcome] = await delivering
        assert getattr(outcome, "reason", "") == "code_other"


async def test_acknowledgements_as_each_sdk_writes_them() -> None:
    answers = iter([b'{"code":200,"headers":null,"data":null}', b'{"code": 200}', b'{"code":200}'])
    async with port() as here, here.program(never) as program:
        for number, payload in enumerate(answers, 1):
            delivering = asyncio.create_task(here.sink.deliver([make_envelope(number)]))
            await program.got(number)
            headers = (("message_id", program.messages[-1]), ("type", "event"), ("biz_rt", "-3"))
            # Node rounds numbers; Go adds texts that weren't there
            await program.write(frames.encode(Frame(2**60, 0, 1, frames.DATA, headers, "", "", payload)))
            assert isinstance((await delivering)[0], Delivered)


async def test_whoever_acknowledges_everything_twice_stays() -> None:
    async with port() as here, here.program(never) as program:
        for number in range(1, session_module.NUISANCES + 10):
            delivering = asyncio.create_task(here.sink.deliver([make_envelope(number)]))
            await program.got(number)
            headers = (("type", "event"), ("message_id", program.messages[-1]))
            for _ in range(2):
                await program.write(frames.encode(Frame(1, 1, 1, frames.DATA, headers, payload=b'{"code":200}')))
            assert isinstance((await delivering)[0], Delivered)
        assert len(here.sink.pool.lines) == 1


async def test_what_was_answered_with_another_code_is_not_counted_as_acknowledged() -> None:
    async with port() as here, here.program() as program:
        await still_works(here, program, 1)
        program.behave = refuse
        await here.sink.deliver([make_envelope(2)])
        [session] = here.server.sessions
        assert session.row().acknowledged == 1


async def test_a_program_that_closes_and_one_that_is_gone() -> None:
    async with port() as here:
        first, second = here.program(), here.program()
        await first.connect()
        await second.connect()
        await first.close()
        await until(lambda: here.counted('fer_subscribers_gone_total{reason="closed",sink="s"}') == 1)
        await second.cut()
        await until(lambda: here.counted('fer_subscribers_gone_total{reason="lost",sink="s"}') == 1)
        assert here.sink.pool.lines == []


async def test_the_silent_are_given_up_unless_they_are_at_work() -> None:
    ws = WsSettings(listen="127.0.0.1:0", ping_interval_seconds=10, handshake_seconds=3600)
    async with port(ws, HurriedClock(50.0)) as here, here.program() as idle, here.program(never) as busy:
        idle.behave = never
        delivering = [asyncio.create_task(here.sink.deliver([make_envelope(n, subject=str(n))])) for n in (1, 2)]
        await until(lambda: len(idle.events) + len(busy.events) == 2)
        async with here.program() as silent:
            looking = asyncio.create_task(here.server.look())
            await silent.gone()
            assert silent.close_code == CUT
        await until(lambda: here.counted('fer_subscribers_gone_total{reason="silent",sink="s"}') == 1)
        assert len(here.sink.pool.lines) == 2
        for task in (looking, *delivering):
            task.cancel()


async def test_whoever_still_owes_an_acknowledgement_is_given_more_time() -> None:
    async with port(ack_seconds=0.02) as here, here.program(never) as program:
        await here.sink.deliver([make_envelope(1)])
        await until(lambda: not here.sink.pool.unanswered)
        [session], now = here.server.sessions, time.monotonic()
        assert session.row().unanswered == 1
        session.check(now + session_module.AT_WORK_SECONDS - 1)
        await program.ping()
        await until(lambda: len(program.pongs) == 2)
        session.check(now + session_module.AT_WORK_SECONDS + 60)
        await program.gone()
        await until(lambda: here.counted('fer_subscribers_gone_total{reason="silent",sink="s"}') == 1)


async def test_whoever_pings_stays() -> None:
    ws = WsSettings(listen="127.0.0.1:0", ping_interval_seconds=10, handshake_seconds=3600)
    async with port(ws, HurriedClock(10.0)) as here, here.program() as program, here.program() as silent:
        looking = asyncio.create_task(here.server.look())
        pinging = asyncio.create_task(keep_beating(program, Program.ping))
        await silent.gone()
        assert len(here.sink.pool.lines) == 1
        for task in (looking, pinging):
            task.cancel()


async def test_a_late_acknowledgement_is_told() -> None:
    async with port(ack_seconds=0.05) as here, here.program(never) as program:
        [outcome] = await here.sink.deliver([make_envelope(1)])
        assert getattr(outcome, "reason", "") == "no_ack"
        headers = (("type", "event"), ("message_id", program.messages[0]))
        await program.write(frames.encode(Frame(1, 1, 1, frames.DATA, headers, payload=b'{"code":200}')))
        await until(lambda: here.counted('fer_late_acks_total{sink="s"}') == 1)
        [outcome] = await here.sink.deliver([make_envelope(1)])
        assert isinstance(outcome, Delivered)
        assert len(program.events) == 1


async def test_a_ping_on_a_connection_that_is_being_cut_is_no_bug() -> None:
    async with port() as here, here.program() as program:
        [session] = here.server.sessions
        [connection] = here.server._server._connections.values()
        connection.data_received(b"\x89\x80\x00\x00\x00\x00")  # the websocket's own ping, masked
        session.end("silent")
        await program.gone()
        await until(lambda: here.counted('fer_subscribers_gone_total{reason="silent",sink="s"}') == 1)
    assert "worker_crashed" not in here.log.getvalue()


async def never(_event: dict[str, Any]) -> int | None:
    return None


async def refuse(_event: dict[str, Any]) -> int | None:
    return 500
