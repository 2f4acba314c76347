import asyncio
import gc
import io
from pathlib import Path

import orjson
import pytest

from router.journal.contract import INGRESS, DeadLetter, JournalError, Settlement, Verdict
from tests.contracts.journal import dated
from tests.journal.books import make_journal, opened, telemetry


async def test_settlements_wait_a_little_for_company_and_then_go_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.register("bus")
        loop = asyncio.get_running_loop()
        begin = loop.time()
        first, second = journal.settle("bus", Settlement(1)), journal.settle("bus", Settlement(2))
        await asyncio.gather(first, second)
        assert loop.time() - begin >= 0.04
        third = journal.settle("bus", Settlement(3))
        begin = loop.time()
        assert await journal.append(dated(1)) is Verdict.STORED
        assert third.done(), "it did not join the commit of the append"


async def test_a_late_copy_with_another_creation_time_is_counted(tmp_path: Path) -> None:
    log = io.StringIO()
    seen = telemetry(log)
    async with opened(tmp_path, log=seen) as journal:
        futures = [journal.append(dated(1, 1000)), journal.append(dated(1, 2000)), journal.append(dated(1, 1000))]
        await asyncio.gather(*futures)
        await journal.append(dated(1, 3000))
        await journal.append(dated(1, 1000))
    assert b"fer_duplicates_other_time_total 2.0" in seen.exposition()
    told = [
        line for line in map(orjson.loads, log.getvalue().splitlines()) if line["event"] == "event_duplicate_other_time"
    ]
    assert [line["id"] for line in told] == [dated(1).id] * 2


async def test_dead_letters_said_just_before_a_lane_is_forgotten_stay(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.register("guest", 0)
        await journal.append(dated(1))
        said = journal.settle(
            "guest", Settlement(1, dead=[DeadLetter("guest", 1, "event-1", "t", None, b"{}", "r", "d", 1, 1, 1, 1)])
        )
        await journal.forget("guest")
        await said
        assert len(await journal.dead_letters()) == 1


async def test_nothing_is_taken_before_open_or_after_close(tmp_path: Path) -> None:
    journal = make_journal(tmp_path)
    await journal.close()
    async with opened(tmp_path) as journal:
        pass
    with pytest.raises(JournalError, match="closed"):
        await journal.append(dated(1))
    with pytest.raises(JournalError, match="closed"):
        await journal.settle("bus", Settlement(1))
    with pytest.raises(JournalError, match="closed"):
        await journal.quarantine(DeadLetter(INGRESS, None, "e", "t", None, b"{}", "r", "d", 0, 0, 0, 0))


async def test_only_the_ingress_quarantines(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        with pytest.raises(ValueError, match="ingress"):
            await journal.quarantine(DeadLetter("bus", 1, "e", "t", None, b"{}", "r", "d", 0, 0, 0, 0))


async def test_a_failure_nobody_waits_for_is_not_complained_about(tmp_path: Path) -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with opened(tmp_path) as journal:
        journal._store._db.execute("PRAGMA query_only=ON")
        _ = [journal.append(dated(n)) for n in (1, 2, 1)]
        await journal.wait_failed()
    gc.collect()
    assert complaints == []


async def test_one_append_after_the_other_while_commits_are_under_way(tmp_path: Path) -> None:
    """Appends at every turn of the loop: none is forgotten between two commits."""
    async with opened(tmp_path) as journal:
        futures = []
        for n in range(2000):
            futures.append(journal.append(dated(n)))
            await asyncio.sleep(0)
        assert set(await asyncio.wait_for(asyncio.gather(*futures), 20)) == {Verdict.STORED}
        assert journal.head == 2000
