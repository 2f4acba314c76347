"""What a push to a program comes to, as an outcome."""

import asyncio
from typing import Any

import orjson
import pytest

from router.envelope import Envelope
from router.feishu.callback import arrived
from router.feishu.envelopes import OLD_CARD
from router.feishu.results import Event
from sinks.contract import Delivered, Outcome, Rejected, Retry, Unavailable
from sinks.testing.events import make_envelope
from tests.doubles.program import Program
from tests.doubles.programs import Port, port
from tests.doubles.waiting import until


async def delivered(here: Port, envelope: Envelope) -> Outcome:
    [outcome] = await here.sink.deliver([envelope])
    return outcome


def answering(code: int | None) -> Any:
    async def behave(_event: dict[str, Any]) -> int | None:
        return code

    return behave


async def test_the_push_as_feishu_made_it_without_the_token() -> None:
    pushed = {
        "schema": "2.0",
        "header": {"event_id": "e-1", "event_type": "x.y_v2", "create_time": "1700000000123", "token": "secret",
                   "app_id": "cli_a", "tenant_key": "t"},
        "event": {"big": "9007199254740993", "text": "飞书 😀\u2028"},
    }  # fmt: skip
    event = arrived("app", "cli_a", orjson.dumps(pushed), 1_700_000_001.0)
    assert isinstance(event, Event)
    async with port() as here, here.program() as program:
        assert isinstance(await delivered(here, event.envelope), Delivered)
        pushed["header"]["token"] = ""  # type: ignore[index]
        assert program.events == [pushed]


@pytest.mark.parametrize(("code", "reason"), [(500, "code_500"), (403, "code_other"), (0, "code_other")])
async def test_any_other_code_is_tried_again(code: int, reason: str) -> None:
    async with port() as here, here.program(answering(code)):
        outcome = await delivered(here, make_envelope(1))
        assert isinstance(outcome, Retry)
        assert outcome.reason == reason


async def test_no_acknowledgement_is_tried_again() -> None:
    async with port(ack_seconds=0.05) as here, here.program(answering(None)):
        outcome = await delivered(here, make_envelope(1))
        assert isinstance(outcome, Retry)
        assert outcome.reason == "no_ack"


async def test_nobody_there_is_unavailable_and_says_as_whom_to_connect() -> None:
    async with port() as here:
        outcome = await delivered(here, make_envelope(1))
        assert isinstance(outcome, Unavailable)
        assert outcome.reason == "nobody_connected"
        assert here.sink.app_id in outcome.detail


async def test_a_program_that_dies_of_an_event_fails_it_and_no_other() -> None:
    async def die(event: dict[str, Any]) -> int | None:
        if event["event"].get("poison"):
            here.programs[-1].transport.abort()
            return None
        return 200

    async with port() as here:
        for expected in (Unavailable, Retry):
            program: Program = here.program(die)
            await program.connect()
            assert isinstance(await delivered(here, make_envelope(1, data={"poison": True})), expected)
            await until(lambda: not here.sink.pool.lines)
        await here.program(die).connect()
        assert isinstance(await delivered(here, make_envelope(2)), Delivered)


async def test_an_event_beyond_a_message_comes_in_parts() -> None:
    async with port() as here, here.program() as program:
        envelope = make_envelope(1, data={"text": "x" * 3_000_000})
        assert isinstance(await delivered(here, envelope), Delivered)
        assert program.events[0]["event"]["text"] == "x" * 3_000_000
        assert max(program.sizes) <= 1 << 20


async def test_an_envelope_that_is_none_is_rejected() -> None:
    async with port() as here, here.program():
        outcome = await delivered(here, make_envelope(1)._replace(json=b"{}"))
        assert isinstance(outcome, Rejected)
        assert outcome.reason == "not_encodable"


async def test_one_event_at_a_time_to_each_connection_unless_more_are_asked_for() -> None:
    async with (
        port(in_flight=3) as here,
        here.program(answering(None)) as first,
        here.program(answering(None)) as other,
    ):
        assert here.sink.concurrency == 6
        tasks = [asyncio.create_task(delivered(here, make_envelope(n, subject=str(n)))) for n in range(8)]
        await until(lambda: len(first.events) == len(other.events) == 3)
        for task in tasks:
            task.cancel()


async def test_it_takes_nothing_while_it_is_closed_and_sends_nobody_away() -> None:
    async with port() as here, here.program():
        await here.sink.close()
        outcome = await delivered(here, make_envelope(1))
        assert isinstance(outcome, Unavailable)
        assert outcome.reason == "closed"
        assert len(here.sink.pool.lines) == 1


async def test_a_card_callback_of_the_old_kind_is_not_even_tried() -> None:
    async with port() as here, here.program() as program:
        outcome = await delivered(here, make_envelope(1, type_=OLD_CARD))
        assert isinstance(outcome, Rejected)
        assert outcome.reason == "old_card"
        assert program.events == []
