"""Which connection an event is given to: not the frozen one, and one to itself where it is asked for."""

import asyncio
import random

import pytest

from sinks.feishu_ws.pool import BUSY, LOST, NO_ACK, NOBODY, Heard, Pool
from tests.doubles.virtual import run_virtual
from tests.sinks.feishu_ws.wires import Wire, lose, new, push, pushing


async def take_turns(pool: Pool, *wires: Wire) -> None:
    """Push some more, and see that all get their share."""
    for number in range(40):
        assert await push(pool, f"{number}") == 200
    assert min(len(wire.messages) for wire in wires) > 5


@pytest.mark.parametrize("in_flight", [1, 5])
def test_a_frozen_program_gets_nothing_more_while_another_answers(in_flight: int) -> None:
    async def main() -> None:
        pool = new(in_flight)
        frozen = Wire(pool)
        tasks = pushing(pool, *(f"{number}" for number in range(in_flight)))
        await asyncio.sleep(0.1)
        other = Wire(pool, lambda _: 200, 0.01)
        assert await asyncio.gather(*tasks) == [NO_ACK] * in_flight
        for number in range(100, 200):
            assert await push(pool, f"{number}") == 200
        assert (len(frozen.messages), len(other.messages)) == (in_flight, 100)

    run_virtual(main())


def test_what_was_not_answered_goes_to_another_and_the_frozen_one_is_tried_once_in_a_while() -> None:
    async def main() -> None:
        pool = new(5)
        frozen = Wire(pool)
        assert await asyncio.gather(*pushing(pool, *"abcde")) == [NO_ACK] * 5
        Wire(pool, lambda _: 200, 0.01)
        assert await asyncio.gather(*pushing(pool, *"abcde")) == [200] * 5
        while asyncio.get_running_loop().time() < 60:
            await asyncio.gather(*pushing(pool, *(f"{number}" for number in range(10))))
        assert 5 < len(frozen.messages) <= 5 + 2

    run_virtual(main())


@pytest.mark.parametrize(("seconds", "before"), [(5, 3), (20, 3), (30, 4)])
def test_it_is_given_as_much_as_others_once_it_has_answered(seconds: float, before: int) -> None:
    async def main() -> None:
        pool = new(3)
        frozen = Wire(pool)
        assert await push(pool, "a") == NO_ACK
        other = Wire(pool, lambda _: 200)
        await asyncio.sleep(seconds)
        assert pool.concurrency == before
        told = list[int]()
        pool.slots.changed = lambda: told.append(pool.concurrency)
        frozen.behave = lambda _: 200
        frozen.answer(frozen.messages[0][0])
        assert told[-1] == 6
        await take_turns(pool, frozen, other)

    run_virtual(main())


def test_a_frame_that_is_never_answered_takes_its_connection_out_for_a_while_only() -> None:
    async def main() -> None:
        pool = new()
        lossy = Wire(pool)
        assert await push(pool, "a") == NO_ACK
        lossy.behave = lambda _: 200
        other = Wire(pool, lambda _: 200)
        await asyncio.sleep(24.5)
        await take_turns(pool, lossy, other)

    run_virtual(main())


def test_where_all_owe_an_answer_each_is_given_one_more() -> None:
    async def main() -> None:
        pool = new(3)
        frozen = Wire(pool)
        assert await push(pool, "a") == NO_ACK
        assert pool.concurrency == 1
        other = Wire(pool, lambda _: 200)
        assert pool.concurrency == 3
        other.leave()
        assert pool.concurrency == 1
        assert await push(pool, "b") == NO_ACK
        assert [key for _, key in frozen.messages] == ["a", "b"]

    run_virtual(main())


@pytest.mark.parametrize("seed", range(5))
def test_an_event_is_not_given_to_the_frozen_one_again_however_busy_the_other_is(seed: int) -> None:
    async def main() -> None:
        random.seed(seed)
        pool, busy = new(), True
        frozen = Wire(pool)
        assert await push(pool, "a") == NO_ACK
        Wire(pool, lambda _: 200, 0.5)

        async def load(name: str) -> None:
            number = 0
            while busy:
                number += 1
                await push(pool, f"{name}{number}")

        loading = [asyncio.create_task(load(name)) for name in "bcdef"]
        assert await push(pool, "a") == 200
        assert [key for _, key in frozen.messages].count("a") == 1
        busy = False
        await asyncio.gather(*loading)

    run_virtual(main())


def test_of_two_that_owed_an_answer_the_one_whose_frame_was_given_up_is_tried() -> None:
    async def main() -> None:
        pool = new(2)
        Wire(pool)
        assert await push(pool, "a") == NO_ACK
        await asyncio.sleep(2)
        Wire(pool)
        assert await push(pool, "b") == NO_ACK
        assert pool.concurrency == 2
        await asyncio.sleep(20)
        assert pool.concurrency == 1

    run_virtual(main())


def test_a_suspect_goes_to_an_idle_connection_where_there_is_one() -> None:
    async def main() -> None:
        pool = new(2, 10)
        for key in "abcdefgh":
            await lose(pool, key)
        hung = Wire(pool)
        [in_hand] = pushing(pool, "hung")
        await asyncio.sleep(0)
        Wire(pool, lambda _: 200)
        for key in "abcdefgh":
            assert await push(pool, key) == 200
        assert [key for _, key in hung.messages] == ["hung"]
        assert asyncio.get_running_loop().time() == 0
        in_hand.cancel()

    run_virtual(main())


@pytest.mark.parametrize("seed", range(6))
def test_a_suspect_waits_no_longer_for_a_connection_that_comes_to_owe_an_answer(seed: int) -> None:
    async def main() -> None:
        random.seed(seed)
        pool = new(2, 6)
        await lose(pool, "a")
        hung = Wire(pool)
        [in_hand] = pushing(pool, "hung")
        await asyncio.sleep(0)
        hung.line.kept = True  # the next one is for the other
        other = Wire(pool, lambda _: 200, 5)
        pool.slots.count(hung.line)
        tasks = pushing(pool, "b")
        await asyncio.sleep(0)
        pool.slots.give_back(hung.line)
        assert await push(pool, "a") == 200
        assert [key for _, key in hung.messages] == ["hung"]
        assert [key for _, key in other.messages] == ["b", "a"]
        assert await asyncio.gather(in_hand, *tasks) == [NO_ACK, 200]

    run_virtual(main())


def test_a_suspect_waits_for_no_answer_that_is_overdue() -> None:
    async def main() -> None:
        pool = new(3, 10)
        await lose(pool, "a")
        wire = Wire(pool)
        [hung] = pushing(pool, "hung")
        await asyncio.sleep(4)
        wire.behave = lambda _: 200
        assert await push(pool, "a") == 200
        assert asyncio.get_running_loop().time() == 10
        assert await hung == NO_ACK

    run_virtual(main())


def test_an_answer_that_comes_while_the_event_waits_for_a_slot_counts() -> None:
    async def main() -> None:
        pool = new(2)
        wire = Wire(pool)
        assert await push(pool, "a") == NO_ACK
        await asyncio.sleep(12.5)
        wire.behave = lambda key: 200 if key == "probe" else None
        assert await push(pool, "probe") == 200
        tasks = pushing(pool, "b", "c", "a", "d")
        await asyncio.sleep(0.1)
        assert wire.answer(wire.messages[0][0]) is Heard.LATE
        wire.behave = lambda _: 200
        wire.answer(wire.messages[2][0])
        assert await tasks[2] == 200
        assert await tasks[3] == 200
        assert asyncio.get_running_loop().time() < 16, "the turn that it didn't need is the next one's"
        assert [key for _, key in wire.messages] == ["a", "probe", "b", "c", "d"]
        wire.answer(wire.messages[3][0])
        await asyncio.gather(*tasks)

    run_virtual(main())


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
