"""Acknowledgements that come when nobody waits for them any more."""

import asyncio

import pytest

from sinks.feishu_ws import line as line_module
from sinks.feishu_ws.pool import NO_ACK, NOBODY, Heard
from tests.doubles.virtual import run_virtual
from tests.sinks.feishu_ws.wires import Wire, new, push, pushing


def test_what_was_acknowledged_late_is_not_pushed_again() -> None:
    async def main() -> None:
        pool = new()
        wire = Wire(pool)
        assert await push(pool, "a") == NO_ACK
        wire.answer(wire.messages[0][0])
        wire.leave()
        assert await push(pool, "a") == 200
        assert await push(pool, "a") == NOBODY  # it counts once
        assert len(wire.messages) == 1

    run_virtual(main())


def test_what_failed_late_is_pushed_again() -> None:
    async def main() -> None:
        pool = new()
        wire = Wire(pool)
        assert await push(pool, "a") == NO_ACK
        assert wire.answer(wire.messages[0][0], 500) is Heard.LATE
        pushing(pool, "a")
        await asyncio.sleep(0)
        assert len(wire.messages) == 2
        wire.leave()

    run_virtual(main())


def test_what_is_acknowledged_after_its_slot_was_given_back_is_not_pushed_again() -> None:
    async def main() -> None:
        pool = new()
        wire = Wire(pool)
        assert await push(pool, "a") == NO_ACK
        await asyncio.sleep(20)
        assert wire.answer(wire.messages[0][0]) is Heard.LATE
        assert wire.answer(wire.messages[0][0]) is Heard.UNKNOWN
        assert await push(pool, "a") == 200
        assert len(wire.messages) == 1

    run_virtual(main())


def test_an_old_acknowledgement_of_what_is_delivered_by_now_swallows_no_replay() -> None:
    async def main() -> None:
        pool = new()
        wire = Wire(pool)
        assert await push(pool, "a") == NO_ACK
        await asyncio.sleep(20)
        wire.behave = lambda _: 200
        assert await push(pool, "a") == 200
        assert wire.answer(wire.messages[0][0]) is Heard.LATE
        assert await push(pool, "a") == 200
        assert len(wire.messages) == 3

    run_virtual(main())


def test_an_old_acknowledgement_while_the_event_is_pushed_again_swallows_no_replay() -> None:
    async def main() -> None:
        pool = new()
        wire = Wire(pool)
        assert await push(pool, "a") == NO_ACK
        await asyncio.sleep(20)
        [again] = pushing(pool, "a")
        await asyncio.sleep(1)
        assert wire.answer(wire.messages[0][0]) is Heard.LATE
        assert wire.answer(wire.messages[1][0]) is Heard.IN_TIME
        assert await again == 200
        wire.behave = lambda _: 200
        assert await push(pool, "a") == 200
        assert len(wire.messages) == 3

    run_virtual(main())


def test_each_failure_is_a_push_however_long_an_acknowledgement_may_take() -> None:
    async def main() -> None:
        pool, loop = new(ack_seconds=60), asyncio.get_running_loop()
        wire = Wire(pool)
        assert [await push(pool, "a") for _ in range(3)] == [NO_ACK] * 3
        assert len(wire.messages) == 3
        assert loop.time() == pytest.approx(3 * 60 + 2 * 30)

    run_virtual(main())


def test_an_acknowledgement_at_the_very_moment_when_time_is_up_counts() -> None:
    async def main() -> None:
        pool = new()
        wire = Wire(pool)
        [task] = pushing(pool, "a")
        await asyncio.sleep(0)
        heard: list[Heard] = []
        asyncio.get_running_loop().call_later(3.0, lambda: heard.append(wire.answer(wire.messages[0][0])))
        assert await task == NO_ACK
        assert heard == [Heard.LATE]
        assert await push(pool, "a") == 200
        assert len(wire.messages) == 1

    run_virtual(main())


def test_frames_that_were_given_up_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_module, "GIVEN_UP", 2)

    async def main() -> None:
        pool = new(in_flight=10)
        wire = Wire(pool)
        await asyncio.gather(*pushing(pool, *"abc"))
        await asyncio.sleep(20)
        heard = [wire.answer(message) for message, _ in wire.messages]
        assert heard == [Heard.UNKNOWN, Heard.LATE, Heard.LATE]

    run_virtual(main())
