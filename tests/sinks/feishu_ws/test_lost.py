"""What becomes of an event whose connection ends: it goes to another, and is never taken for the cause when it wasn't."""

import asyncio
import random

import pytest

from sinks.feishu_ws.pool import BUSY, LOST, NOBODY, Pool
from tests.doubles.virtual import run_virtual
from tests.sinks.feishu_ws.wires import Wire, lose, new, push, pushing


def test_a_lost_connection_costs_an_event_nothing_where_there_is_another() -> None:
    async def main() -> None:
        pool = new()
        dying = Wire(pool)
        [task] = pushing(pool, "a")
        await asyncio.sleep(0)
        other = Wire(pool, lambda _: 200)
        dying.leave()
        assert await task == 200
        assert [key for _, key in other.messages] == ["a"]

    run_virtual(main())


def test_a_connection_that_breaks_while_it_is_written_to() -> None:
    async def main() -> None:
        pool = new()
        wire = Wire(pool)
        wire.broken = True
        assert await push(pool, "a") == LOST
        wire.leave()
        assert pool.concurrency == 1
        assert pool.unanswered == 0

    run_virtual(main())


def test_an_event_that_ends_whoever_gets_it_fails_by_itself() -> None:
    async def main() -> None:
        pool = new()
        for expected in (NOBODY, LOST):
            dying = Wire(pool)
            [task] = pushing(pool, "poison")
            await asyncio.sleep(0)
            dying.leave()
            assert await task == expected

    run_virtual(main())


@pytest.mark.parametrize("seed", range(10))
def test_what_ends_programs_takes_no_other_event_with_it(seed: int) -> None:
    """Whichever is in hand beside it: only the event itself ever counts as the cause."""

    async def main() -> None:
        rng = random.Random(seed)
        pool = new(in_flight=rng.randrange(1, 9))
        poison = {f"{rng.randrange(60)}" for _ in range(4)}
        programs = [asyncio.create_task(_restarting(pool, poison)) for _ in range(rng.randrange(1, 4))]

        async def delivered(key: str) -> list[int]:
            codes = list[int]()
            while not codes or codes[-1] in (NOBODY, BUSY):
                await asyncio.sleep(rng.random() / 10)
                codes.append(await push(pool, key))
            return codes

        codes = await asyncio.gather(*(delivered(f"{number}") for number in range(60)))
        assert {f"{number}" for number in range(60) if LOST in codes[number]} == poison
        assert all(code[-1] == 200 for number, code in enumerate(codes) if f"{number}" not in poison)
        for program in programs:
            program.cancel()

    run_virtual(main())


async def _restarting(pool: Pool, poison: set[str]) -> None:
    """A program that ends by some events, and is started again."""
    while True:
        ended = asyncio.Event()

        def answer(key: str, ended: asyncio.Event = ended) -> int | None:
            if key in poison:
                ended.set()
            return 200

        wire = Wire(pool, answer, 0.2)
        await ended.wait()
        wire.leave()
        await asyncio.sleep(0.1)


def test_an_event_that_was_lost_once_is_pushed_alone() -> None:
    async def main() -> None:
        pool = new(in_flight=3)
        dying = Wire(pool)
        tasks = pushing(pool, "a", "b", "c")
        await asyncio.sleep(0)
        other = Wire(pool)
        tasks += pushing(pool, "d", "e")
        await asyncio.sleep(0)
        dying.leave()
        tasks += pushing(pool, "f")
        await asyncio.sleep(1)
        assert [key for _, key in other.messages] == [*"de"]
        for number, expected in enumerate([*"deabcf"]):
            await asyncio.sleep(0.1)
            message, key = other.messages[number]
            assert (key, len(other.messages)) == (expected, max(2, number + 1))
            other.answer(message)
        assert await asyncio.gather(*tasks) == [200] * 6

    run_virtual(main())


def test_once_it_was_answered_it_is_no_suspect_any_more() -> None:
    async def main() -> None:
        pool = new(in_flight=2)
        await lose(pool, "a")
        other = Wire(pool, lambda _: 500)
        assert await push(pool, "a") == 500
        other.behave = None
        tasks = pushing(pool, "b", "a")
        await asyncio.sleep(0)
        assert [key for _, key in other.messages] == ["a", "b", "a"]
        other.leave()
        assert await asyncio.gather(*tasks) == [NOBODY, NOBODY]

    run_virtual(main())
