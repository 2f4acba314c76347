import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from router.journal.contract import JournalError, Parked, Settlement
from router.journal.limits import MIB
from router.journal.reader import CHUNK_BYTES, CHUNK_EVENTS
from router.journal.sqlite import SqliteJournal
from tests.contracts.journal import dated, ids
from tests.doubles.envelopes import make_envelope
from tests.journal.books import SMALL, opened

MANY = 1 << 30


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    """Opened again, so that nothing is in memory: events 1 to 2,500 less some."""
    async with opened(tmp_path) as journal:
        await asyncio.gather(*[journal.append(dated(n)) for n in range(1, 2501)])
        await journal._group.control(
            lambda db: db.execute("DELETE FROM events WHERE position IN (5, 6, 1500)").rowcount
        )
    async with opened(tmp_path) as journal:
        yield journal


async def test_reads_on_over_gaps(journal: SqliteJournal) -> None:
    after, seen = 0, list[int]()
    while records := await journal.read(after, 10_000, MANY):
        assert len(records) <= CHUNK_EVENTS
        assert ids(records) == [f"event-{record.position}" for record in records]
        seen += [record.position for record in records]
        after = seen[-1]
    assert seen == [n for n in range(1, 2501) if n not in (5, 6, 1500)]


@pytest.mark.parametrize("max_bytes", [1, 500, 1000, 5000])
async def test_reads_no_more_bytes_than_asked_for(journal: SqliteJournal, max_bytes: int) -> None:
    records = await journal.read(0, 100, max_bytes)
    assert records
    assert len(records) == 1 or sum(len(record.envelope.json) for record in records) <= max_bytes


async def test_a_line_break_between_tokens_harms_nothing(tmp_path: Path) -> None:
    event = make_envelope(1)
    pretty = event._replace(json=event.json.replace(b',"', b',\n"'))
    async with opened(tmp_path) as journal:
        await asyncio.gather(journal.append(pretty), journal.append(dated(2)))
    async with opened(tmp_path) as journal:
        assert [record.envelope.json for record in await journal.read(0, 10, MANY)] == [pretty.json, dated(2).json[:]]


async def test_a_damaged_body_is_an_error_and_not_skipped(journal: SqliteJournal) -> None:
    await journal._group.control(lambda db: db.execute("UPDATE events SET body = x'7b' WHERE position = 2").rowcount)
    with pytest.raises(JournalError, match=r"can.t read .* position 2 is damaged"):
        await journal.read(0, 10, MANY)
    await journal._group.control(lambda db: db.execute("UPDATE events SET body = x'1e' WHERE position = 2").rowcount)
    with pytest.raises(JournalError, match="can't read"):
        await journal.read(0, 10, MANY)
    assert len(await journal.read(2, 10, MANY)) == 10


async def test_parked_events_of_many_keys_come_back_bounded(journal: SqliteJournal) -> None:
    await journal.register("bus", 0)
    parked = [Parked(n, f"k{n % 700}", "", due_ms=5000 - n) for n in range(7, 1400)]
    await journal.settle("bus", Settlement(1400, [], parked))
    heads = await journal.parked_heads("bus", 1 << 31)
    assert len(heads) == 700
    assert sum(head.count for head in heads) == len(parked)
    assert [head.head.due_ms for head in heads] == sorted(head.head.due_ms for head in heads)
    assert len(await journal.read_parked("bus", limit=100)) == 100


async def test_after_close_reading_is_an_error(journal: SqliteJournal) -> None:
    await journal.close()
    with pytest.raises(JournalError, match="closed"):
        await journal.read(0, 10, MANY)


async def test_parked_events_are_read_by_bytes_too_at_least_one(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=replace(SMALL, max_bytes=64 * MIB, reserve_bytes=MIB)) as journal:
        sizes = [1, 1, 3, 1, 1, 3, 1, 9, 1]
        large = [make_envelope(n, data="x" * (size << 20))._replace(created_ms=n) for n, size in enumerate(sizes, 1)]
        await asyncio.gather(*map(journal.append, large))
        await journal.register("bus", 0)
        await journal.settle("bus", Settlement(9, [], [Parked(n, "k", "") for n in range(1, 10)]))
        after, steps = 0, list[list[int]]()
        while rows := await journal.read_parked("bus", order_key="k", after=after):
            after = rows[-1][0].position
            steps.append([len(envelope.json) for _, envelope in rows])
        assert sum(map(len, steps)) == 9
        assert all(sum(step) <= CHUNK_BYTES or len(step) == 1 for step in steps)
        assert len(steps) < 9


async def test_lanes_read_while_operators_search(journal: SqliteJournal) -> None:
    """Each has a thread of its own: a search that never ends stops no lane."""
    ended = Event()
    stuck = asyncio.ensure_future(journal._searcher._run(ended.wait))
    searching = asyncio.ensure_future(journal.count_letters())
    try:
        await journal.register("bus", 0)
        await asyncio.wait_for(journal.parked_heads("bus", 10), 20)
        assert len(await asyncio.wait_for(journal.read(0, 10, MANY), 20)) == 10
        assert not searching.done()
    finally:
        ended.set()
    assert await stuck
    assert await searching == []
