"""To whom an event goes, what its acknowledgement comes to, and who has a free slot."""

import asyncio
import random

import pytest

from sinks.feishu_ws import pool as pool_module
from sinks.feishu_ws.pool import BUSY, LOST, NO_ACK, NOBODY, Heard
from tests.doubles.virtual import run_virtual
from tests.sinks.feishu_ws.wires import Wire, new, push, pushing


def test_a_program_gets_nothing_before_it_is_ready_and_then_what_waits() -> None:
    async def main() -> None:
        pool = new()
        wire = Wire(pool, lambda _: 200, ready=False)
        waiting = pushing(pool, "a", "b")
        await asyncio.sleep(1)
        assert (wire.messages, pool.concurrency) == ([], 2)
        pool.ready(wire.line)
        pool.ready(wire.line)
        assert await asyncio.gather(*waiting) == [200, 200]
        assert pool.concurrency == 1

    run_virtual(main())


def test_one_that_leaves_before_it_was_ready_leaves_nothing_behind() -> None:
    async def main() -> None:
        pool = new()
        wire = Wire(pool, ready=False)
        waiting = pushing(pool, "a")
        await asyncio.sleep(1)
        wire.leave()
        pool.ready(wire.line)
        assert await asyncio.gather(*waiting) == [NOBODY]
        assert (pool.lines, pool.concurrency) == ([], 1)

    run_virtual(main())


def test_nobody_is_connected() -> None:
    async def main() -> None:
        pool = new()
        assert await push(pool, "a") == NOBODY
        assert pool.concurrency == 1
        wire = Wire(pool)
        wire.leave()
        assert await push(pool, "a") == NOBODY

    run_virtual(main())


@pytest.mark.parametrize("code", [200, 500, 0, 403])
def test_what_was_answered(code: int) -> None:
    async def main() -> None:
        pool = new()
        wire = Wire(pool, lambda _: code, 2.9)
        assert await push(pool, "a") == code
        assert wire.answer(wire.messages[0][0]) is Heard.UNKNOWN

    run_virtual(main())


@pytest.mark.parametrize("code", [NOBODY, LOST, NO_ACK, None])
def test_no_answer_passes_for_what_only_we_can_say(code: int | None) -> None:
    async def main() -> None:
        pool = new()
        wire = Wire(pool)
        [task] = pushing(pool, "a")
        await asyncio.sleep(0)
        assert wire.answer(wire.messages[0][0], code) is Heard.IN_TIME
        assert await task == 0

    run_virtual(main())


def test_each_event_goes_to_one_connection_and_all_get_some() -> None:
    async def main() -> None:
        random.seed(1)
        pool = new()
        wires = [Wire(pool, lambda _: 200) for _ in range(3)]
        for number in range(90):
            assert await push(pool, f"{number}") == 200
        shares = [len(wire.messages) for wire in wires]
        assert sum(shares) == 90
        assert min(shares) > 15

    run_virtual(main())


def test_a_connection_has_only_so_many_at_once_and_the_others_wait() -> None:
    async def main() -> None:
        pool = new(in_flight=2)
        wires = [Wire(pool, lambda _: 200, 1.0) for _ in range(3)]
        assert pool.concurrency == 6
        tasks = pushing(pool, *(str(number) for number in range(10)))
        await asyncio.sleep(0.5)
        assert [len(wire.messages) for wire in wires] == [2, 2, 2]
        assert pool.unanswered == 6
        assert await asyncio.gather(*tasks) == [200] * 10
        assert pool.unanswered == 0
        assert pool.concurrency == 6

    run_virtual(main())


def test_more_connections_are_told_of() -> None:
    async def main() -> None:
        pool, told = new(), list[int]()
        pool.slots.changed = lambda: told.append(pool.concurrency)
        first = Wire(pool)
        Wire(pool)
        first.leave()
        assert told == [1, 2]
        assert pool.concurrency == 1

    run_virtual(main())


def test_a_message_has_an_id_of_its_own_each_time() -> None:
    async def main() -> None:
        pool = new()
        wire = Wire(pool, lambda _: 500)
        for _ in range(3):
            await push(pool, "a")
        assert len({message for message, _ in wire.messages}) == 3

    run_virtual(main())


def test_an_overdue_frame_keeps_its_slot_and_the_next_one_waits_for_it() -> None:
    async def main() -> None:
        pool, loop = new(), asyncio.get_running_loop()
        wire = Wire(pool)
        assert await push(pool, "a") == NO_ACK
        assert loop.time() == 3.0
        [second] = pushing(pool, "b")
        await asyncio.sleep(5)
        assert [key for _, key in wire.messages] == ["a"]
        assert pool.concurrency == 1
        told = list[float]()
        pool.slots.changed = lambda: told.append(loop.time())
        assert wire.answer(wire.messages[0][0]) is Heard.LATE
        assert told == [8.0]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert wire.answer(wire.messages[1][0]) is Heard.IN_TIME
        assert await second == 200

    run_virtual(main())


@pytest.mark.parametrize("code", [200, 500])
def test_an_event_that_somebody_is_still_at_work_on_is_not_given_to_another(code: int) -> None:
    async def main() -> None:
        pool = new()
        slow = Wire(pool)
        assert await push(pool, "a") == NO_ACK
        other = Wire(pool, lambda _: 200)
        [again] = pushing(pool, "a")
        await asyncio.sleep(10)
        assert other.messages == []
        assert await push(pool, "b") == 200  # it holds nothing else up
        slow.behave = lambda _: 200
        slow.answer(slow.messages[0][0], code)
        assert await again == 200
        assert sum(key == "a" for _, key in slow.messages + other.messages) == (1 if code == 200 else 2)

    run_virtual(main())


def test_a_frame_that_is_never_answered_gives_its_slot_back_in_the_end() -> None:
    async def main() -> None:
        pool, loop = new(), asyncio.get_running_loop()
        wire = Wire(pool)
        assert await push(pool, "a") == NO_ACK
        [again] = pushing(pool, "a")
        await asyncio.sleep(11.9)
        assert len(wire.messages) == 1
        await asyncio.sleep(0.2)
        assert len(wire.messages) == 2
        assert await again == NO_ACK
        assert loop.time() == pytest.approx(3 + 12 + 3)
        assert wire.answer("nobody's") is Heard.UNKNOWN

    run_virtual(main())


def test_all_slots_of_a_new_connection_go_to_those_that_wait() -> None:
    async def main() -> None:
        pool = new(in_flight=4)
        Wire(pool, lambda _: 200, 2.5)
        tasks = pushing(pool, *"abcdefghij")
        other = Wire(pool, lambda _: 200, 1.0, ready=False)
        await asyncio.sleep(0.5)
        pool.ready(other.line)
        await asyncio.sleep(0.5)
        assert [key for _, key in other.messages] == [*"efgh"]
        assert await asyncio.gather(*tasks) == [200] * 10
        assert asyncio.get_running_loop().time() == 2.5

    run_virtual(main())


def test_who_waits_for_a_slot_too_long_is_told_so() -> None:
    async def main() -> None:
        pool = new(ack_seconds=20)
        Wire(pool)
        tasks = pushing(pool, "a", "b")
        assert await tasks[1] == BUSY
        assert await tasks[0] == NO_ACK

    run_virtual(main())


def test_those_that_wait_for_a_slot_learn_that_the_last_connection_is_gone() -> None:
    async def main() -> None:
        pool = new()
        wire = Wire(pool)
        tasks = pushing(pool, "a", "b", "c")
        await asyncio.sleep(0)
        wire.leave()
        wire.leave()
        assert await asyncio.gather(*tasks) == [NOBODY] * 3
        assert asyncio.get_running_loop().time() == 0.0

    run_virtual(main())


def test_a_cancelled_push_keeps_its_slot_and_its_late_answer_counts() -> None:
    async def main() -> None:
        pool = new()
        wire = Wire(pool)
        tasks = pushing(pool, "a", "b")
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert pool.unanswered == 1
        assert wire.answer(wire.messages[0][0]) is Heard.LATE
        assert await push(pool, "a") == 200
        wire.leave()

    run_virtual(main())


def test_a_turn_that_a_cancelled_push_had_goes_to_the_next() -> None:
    async def main() -> None:
        pool = new()
        wire = Wire(pool)
        first, second, third = pushing(pool, "a", "b", "c")
        await asyncio.sleep(0)
        wire.answer(wire.messages[0][0])
        second.cancel()  # it has just been given the turn
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [key for _, key in wire.messages] == ["a", "c"]
        wire.answer(wire.messages[1][0])
        assert (await first, await third) == (200, 200)

    run_virtual(main())


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "REMEMBERED", 3)

    async def main() -> None:
        pool = new(in_flight=10)
        wire = Wire(pool)
        assert set(await asyncio.gather(*pushing(pool, *"abcde"))) == {NO_ACK}
        for message, _ in list(wire.messages):
            wire.answer(message)
        wire.leave()
        assert await asyncio.gather(*pushing(pool, *"abcde")) == [NOBODY, NOBODY, 200, 200, 200]

    run_virtual(main())


@pytest.mark.parametrize("seed", range(10))
def test_slots_are_counted_right_whatever_happens(seed: int) -> None:
    async def main() -> None:
        rng = random.Random(seed)
        pool = new(in_flight=rng.randrange(1, 4))
        wires: list[Wire] = []
        tasks: list[asyncio.Task[int]] = []
        for step in range(300):
            match rng.randrange(6):
                case 0:
                    wires.append(Wire(pool, lambda _: rng.choice([200, 500, None]), rng.random() * 5))
                case 1 if wires:
                    wires.pop(rng.randrange(len(wires))).leave()
                case 2 if tasks:
                    rng.choice(tasks).cancel()
                case 3:
                    await asyncio.sleep(rng.random() * 4)
                case _:
                    tasks += pushing(pool, f"{step // 3}")
            await asyncio.sleep(0)
            prompt = any(line.ready and not line.owes for line in pool.lines)
            offering = [line for line in pool.lines if line.free > 0 and not line.kept and not (line.owes and prompt)]
            assert pool.slots.free == sum(line.free for line in offering)
            assert {id(line) for line in pool.slots._open} == {id(line) for line in offering}
        for wire in wires:
            wire.leave()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (pool.unanswered, pool.slots.free, pool._pushing, pool.slots._open, pool._overdue) == (0, 0, 0, [], {})

    run_virtual(main())
