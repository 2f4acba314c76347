"""Which connection an event is given to: not the frozen one, and one to itself where it is asked for."""

import asyncio

import pytest

from sinks.feishu_ws.pool import BUSY, LOST, NO_ACK, NOBODY, Pool
from tests.doubles.virtual import run_virtual
from tests.sinks.feishu_ws.wires import Wire, new, push, pushing


@pytest.mark.parametrize("in_flight", [1, 5])
def test_a_frozen_program_gets_nothing_more_while_another_answers(in_flight: int) -> None:
    async def main() -> None:
        pool = new(in_flight)
        frozen = Wire(pool)
        tasks = pushing(pool, *(f"{number}" for number in range(in_flight)))
        await asyncio.sleep(0.1)
        other = Wire(pool, lambda _: 200, 0.01)
        assert await asyncio.gather(*tasks) == [NO_ACK] * in_flight
        for number in range(100):
            assert await push(pool, f"{number}") == 200
        assert (len(frozen.messages), len(other.messages)) == (in_flight, 100)

    run_virtual(main())


@pytest.mark.parametrize("seconds", [5, 20])
def test_it_is_given_events_again_once_it_has_answered(seconds: float) -> None:
    async def main() -> None:
        pool = new()
        frozen = Wire(pool)
        assert await push(pool, "a") == NO_ACK
        other = Wire(pool, lambda _: 200)
        await asyncio.sleep(seconds)
        assert pool.concurrency == 1
        told = list[int]()
        pool.slots.changed = lambda: told.append(pool.concurrency)
        frozen.behave = lambda _: 200
        frozen.answer(frozen.messages[0][0])
        assert told[-1] == 2
        for number in range(40):
            assert await push(pool, f"{number}") == 200
        assert len(frozen.messages) > 5 < len(other.messages)

    run_virtual(main())


def test_where_all_owe_an_answer_all_are_tried_again() -> None:
    async def main() -> None:
        pool = new()
        wires = [Wire(pool) for _ in range(3)]
        assert await asyncio.gather(*pushing(pool, "a", "b", "c")) == [NO_ACK] * 3
        await asyncio.sleep(15)
        assert pool.concurrency == 3
        other = Wire(pool, lambda _: 200)
        assert pool.concurrency == 1
        other.leave()
        assert pool.concurrency == 3
        assert await asyncio.gather(*pushing(pool, "d", "e", "f")) == [NO_ACK] * 3
        assert [len(wire.messages) for wire in wires] == [2, 2, 2]

    run_virtual(main())


async def lose(pool: Pool, key: str) -> None:
    """Have an event lose its connection for the first time."""
    dying = Wire(pool)
    [lost] = pushing(pool, key)
    await asyncio.sleep(0)
    dying.leave()
    assert await lost == NOBODY


def test_whoever_waits_to_be_alone_too_long_is_told_so_and_the_slots_are_offered_again() -> None:
    async def main() -> None:
        pool = new(in_flight=2, ack_seconds=40)
        await lose(pool, "a")
        busy = Wire(pool)
        [in_hand] = pushing(pool, "b")
        await asyncio.sleep(0)
        assert await push(pool, "a") == BUSY
        assert pool.concurrency == 2
        busy.answer(busy.messages[0][0])
        assert await in_hand == 200

    run_virtual(main())


def test_whoever_waits_to_be_alone_goes_elsewhere_when_that_connection_ends() -> None:
    async def main() -> None:
        pool = new(in_flight=2)
        await lose(pool, "a")
        second = Wire(pool)
        tasks = pushing(pool, "b", "a")
        await asyncio.sleep(0.1)
        third = Wire(pool, lambda _: 200)
        second.leave()
        assert await asyncio.gather(*tasks) == [200, 200]
        assert [key for _, key in second.messages] == ["b"]
        assert sorted(key for _, key in third.messages) == ["a", "b"]

    run_virtual(main())


def test_a_cancelled_one_leaves_the_connection_to_all() -> None:
    async def main() -> None:
        pool = new(in_flight=2)
        await lose(pool, "a")
        wire = Wire(pool)
        [in_hand, waiting] = pushing(pool, "b", "a")
        await asyncio.sleep(0.1)
        assert pool.slots.free == 0
        waiting.cancel()
        await asyncio.wait([waiting])
        assert pool.slots.free == 1
        wire.leave()
        assert await in_hand == NOBODY

    run_virtual(main())


def test_alone_it_is_the_cause() -> None:
    async def main() -> None:
        pool = new(in_flight=5)
        first, second = Wire(pool), Wire(pool)
        [poison] = pushing(pool, "poison")
        await asyncio.sleep(0)
        other = second if first.messages else first
        (first if first.messages else second).leave()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert other.messages
        other.leave()
        assert await poison == LOST

    run_virtual(main())
