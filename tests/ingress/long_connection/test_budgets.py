import asyncio

from router.ingress.long_connection.budgets import Budgets
from router.ingress.replies import LATE, SUCCESS, Reply
from tests.doubles.virtual import run_virtual


def test_each_is_given_up_at_its_time_and_no_other() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        budgets = Budgets(2.0, loop.time)
        futures: list[asyncio.Future[Reply]] = []
        for _ in range(6):
            futures.append(loop.create_future())
            budgets.add(loop.time(), futures[-1])
            await asyncio.sleep(0.5)
        futures[3].set_result(SUCCESS)
        assert [future.done() for future in futures] == [True, True, True, True, False, False]
        await asyncio.sleep(1.2)
        assert [future.done() for future in futures] == [True, True, True, True, True, False]
        assert futures[3].result() is SUCCESS
        await asyncio.sleep(0.5)
        assert futures[5].result() is LATE

    run_virtual(main())


def test_closed_it_gives_up_nothing_more() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        budgets = Budgets(2.0, loop.time)
        future: asyncio.Future[Reply] = loop.create_future()
        budgets.add(loop.time(), future)
        budgets.close()
        await asyncio.sleep(10)
        assert not future.done()
        Budgets(1.0, loop.time).close()

    run_virtual(main())
