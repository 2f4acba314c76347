"""What becomes of each event, and how it is answered."""

import asyncio
import contextlib
import errno
import gc
import io
import os
from collections.abc import Callable, Iterator

import orjson
import pytest

from router.commands.arrivals import NOT_TAKEN, Arrivals
from router.commands.forward import Forward, Target
from router.commands.showing import Render
from router.dispatch.routes import wanted
from router.ingress.long_connection.handler import UNANSWERED
from router.ingress.replies import SUCCESS, Reply
from tests.doubles.dead_ends import disk_full, nobody_reads
from tests.doubles.pushes import event
from tests.doubles.receiver import Receiver, reply
from tests.doubles.waiting import until

PLAIN: Render = lambda envelope, payload: payload  # noqa: E731


def arrivals(
    stop: asyncio.Event | None = None,
    *,
    types: tuple[str, ...] = (),
    count: int | None = None,
    forward: Forward | None = None,
    as_json: bool = False,
) -> Arrivals:
    render = PLAIN if forward is None or as_json else None
    return Arrivals(wanted(types), render, forward, count, stop or asyncio.Event())


def test_an_event_is_printed_and_acknowledged(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    taker = arrivals()
    assert taker.take(event("e-1"), 0.0) is SUCCESS
    assert taker.taken == 1
    [line] = capsysbinary.readouterr().out.splitlines()
    assert orjson.loads(line)["header"]["event_id"] == "e-1"


def test_what_is_not_wanted_is_acknowledged_and_not_printed(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    taker = arrivals(types=("corehr.*", "!*.department.*"))
    assert taker.take(event("e-1"), 0.0) is SUCCESS
    assert taker.take(event("e-2", "corehr.person.updated_v1"), 0.0) is SUCCESS
    assert (taker.taken, taker.left_out) == (1, 1)
    assert b"e-2" in capsysbinary.readouterr().out


def test_what_is_no_event_is_acknowledged_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    taker = arrivals()
    assert taker.take(b"[]", 0.0) is SUCCESS
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "no event" in shown.err


def test_an_event_may_nest_as_deep_as_any_router_lets_it(capsys: pytest.CaptureFixture[str]) -> None:
    deep = orjson.loads(b"[" * 247 + b"]" * 247)
    assert arrivals().take(event("e-1", deep=deep), 0.0) is SUCCESS
    assert "e-1" in capsys.readouterr().out


def test_after_the_last_one_wanted_nothing_more_is_taken(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    stop = asyncio.Event()
    taker = arrivals(stop, count=2)
    assert taker.take(event("e-1"), 0.0) is SUCCESS
    assert not stop.is_set()
    assert taker.take(event("e-2"), 0.0) is SUCCESS
    assert stop.is_set()
    assert taker.take(event("e-3"), 0.0) is UNANSWERED
    assert len(capsysbinary.readouterr().out.splitlines()) == 2


@contextlib.contextmanager
def printed_to(descriptor: int) -> Iterator[None]:
    with os.fdopen(descriptor, "wb", buffering=0) as raw, contextlib.redirect_stdout(io.TextIOWrapper(raw)) as out:
        yield
        with contextlib.suppress(OSError):
            out.close()


unprintable = pytest.mark.parametrize(("end", "number"), [(nobody_reads, errno.EPIPE), (disk_full, errno.ENOSPC)])


@unprintable
def test_an_event_that_can_not_be_printed_is_not_answered_and_it_ends(end: Callable[[], int], number: int) -> None:
    stop = asyncio.Event()
    taker = arrivals(stop)
    with printed_to(end()):
        assert taker.take(event("e-1"), 0.0) is UNANSWERED
    assert stop.is_set()
    assert taker.unprinted is not None
    assert taker.unprinted.errno == number
    assert taker.taken == 0


async def answer(taken: "Reply | asyncio.Future[Reply]") -> Reply:
    assert isinstance(taken, asyncio.Future)
    return await asyncio.wait_for(taken, 30)


async def test_what_is_pushed_on_is_acknowledged_once_it_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    async with Receiver() as receiver:
        forward = Forward(Target(receiver.url, "", "", 30.0))
        taker = arrivals(forward=forward)
        assert await answer(taker.take(event("e-1"), 0.0)) is SUCCESS
        receiver.behave = reply(500)
        assert await answer(taker.take(event("e-2"), 0.0)) is NOT_TAKEN
        await forward.close()
    first, second = capsys.readouterr().out.splitlines()
    assert "e-1" in first
    assert "200" in first
    assert "e-2" in second
    assert "answered 500" in second
    assert taker.taken == 1


@unprintable
@pytest.mark.parametrize(("status", "answered"), [(200, SUCCESS), (500, NOT_TAKEN)])
@pytest.mark.parametrize("as_json", [False, True])
async def test_where_nothing_can_be_printed_what_the_program_made_of_the_event_counts(
    end: Callable[[], int], number: int, status: int, answered: Reply, *, as_json: bool
) -> None:
    async with Receiver(behave=reply(status)) as receiver:
        forward, stop = Forward(Target(receiver.url, "", "", 30.0)), asyncio.Event()
        taker = arrivals(stop, forward=forward, as_json=as_json)
        with printed_to(end()):
            assert await answer(taker.take(event("e-1"), 0.0)) is answered
        nothing_to_print = as_json and status == 500
        assert stop.is_set() is not nothing_to_print
        assert (taker.unprinted.errno if taker.unprinted else None) == (None if nothing_to_print else number)
        await forward.close()


async def test_beside_the_events_the_answers_are_told_as_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    async with Receiver() as receiver:
        forward = Forward(Target(receiver.url, "", "", 30.0))
        assert await answer(arrivals(forward=forward, as_json=True).take(event("e-1"), 0.0)) is SUCCESS
        await forward.close()
    shown = capsys.readouterr()
    assert orjson.loads(shown.out)["header"]["event_id"] == "e-1"
    assert "  corehr.department.updated_v2  " in shown.err
    assert "  200  " in shown.err


async def test_no_more_are_under_way_than_are_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    async with Receiver() as receiver:
        forward, stop = Forward(Target(receiver.url, "", "", 30.0)), asyncio.Event()
        taker = arrivals(stop, forward=forward, count=1)
        first = taker.take(event("e-1"), 0.0)
        assert taker.take(event("e-2"), 0.0) is NOT_TAKEN
        assert await answer(first) is SUCCESS
        assert stop.is_set()
        await forward.close()
    assert len(receiver.requests) == 1


async def test_an_answer_that_comes_too_late_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    raised: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    async with Receiver() as receiver:
        forward = Forward(Target(receiver.url, "", "", 30.0))
        taker = arrivals(forward=forward)
        taken = taker.take(event("e-1"), 0.0)
        assert isinstance(taken, asyncio.Future)
        taken.set_result(NOT_TAKEN)
        await receiver.wait_for(1)
        await until(lambda: "  200  " in capsys.readouterr().out)
        await forward.close()
    gc.collect()
    assert raised == []
    taker.late()
    assert "too late" in capsys.readouterr().err
