"""What every journal must do. One joins with a way to build it on the same storage again and again.

class TestMine(JournalContract):
    @pytest.fixture
    def build(self, tmp_path) -> Callable[[], Journal]: ...
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
import pytest_asyncio

from router.envelope import Envelope
from router.journal.contract import (
    INGRESS,
    DeadLetter,
    Journal,
    JournalError,
    JournalOpenError,
    LetterFilter,
    LetterKey,
    Parked,
    Record,
    Settlement,
    Verdict,
)
from sinks.testing.events import make_envelope

MANY = 1 << 30
STORED, DUPLICATE = Verdict.STORED, Verdict.DUPLICATE


def dated(number: int, created_ms: int = 0) -> Envelope:
    return make_envelope(number)._replace(created_ms=created_ms or 1_769_903_997_000 + number)


def letter(lane: str, position: int | None, event_id: str = "event-1", body: bytes = b'{"a":"\\u00e9"}') -> DeadLetter:
    return DeadLetter(lane, position, event_id, "a.type_v1", None, body, "http_400", "no\nsuch thing", 3, 10, 20, 30)


def key(found: DeadLetter) -> LetterKey:
    return LetterKey(found.lane, found.position or 0, found.id)


def ids(records: Sequence[Record]) -> list[str]:
    return [record.envelope.id for record in records]


class JournalContract:
    """Needs a fixture `build` that gives a journal, not open, over what the one before left."""

    pytestmark = pytest.mark.asyncio

    @pytest_asyncio.fixture
    async def journal(self, build: Callable[[], Journal]) -> AsyncIterator[Journal]:
        journal = build()
        await journal.open()
        yield journal
        await journal.close()

    async def reopened(self, journal: Journal, build: Callable[[], Journal]) -> Journal:
        await journal.close()
        again = build()
        await again.open()
        return again

    async def test_gives_back_what_it_took_in_order(self, journal: Journal) -> None:
        events = [dated(n) for n in range(300)]
        assert await asyncio.gather(*map(journal.append, events)) == [STORED] * 300
        records = await journal.read(0, 1000, MANY)
        assert [record.envelope.json for record in records] == [event.json for event in events]
        assert [record.position for record in records] == sorted({record.position for record in records})
        assert records[-1].position == journal.head

    async def test_gives_the_same_after_a_restart(self, journal: Journal, build: Callable[[], Journal]) -> None:
        events = [dated(n) for n in range(30)]
        await asyncio.gather(*map(journal.append, events))
        before = await journal.read(0, 1000, MANY)
        again = await self.reopened(journal, build)
        try:
            after = await again.read(0, 1000, MANY)
            assert [(r.position, r.envelope.json) for r in after] == [(r.position, r.envelope.json) for r in before]
            assert [r.envelope._replace(created_ms=0) for r in before] == [
                r.envelope._replace(created_ms=0) for r in after
            ]
            assert again.head == journal.head
        finally:
            await again.close()

    async def test_reads_in_pieces(self, journal: Journal, build: Callable[[], Journal]) -> None:
        await asyncio.gather(*[journal.append(dated(n)) for n in range(50)])
        again = await self.reopened(journal, build)
        try:
            seen: list[str] = []
            after = 0
            while records := await again.read(after, 7, MANY):
                assert len(records) <= 7
                after = records[-1].position
                seen += ids(records)
            assert seen == [f"event-{n}" for n in range(50)]
        finally:
            await again.close()

    @pytest.mark.parametrize("from_disk", [False, True])
    async def test_bounds_what_it_reads_by_bytes_but_gives_one(
        self, journal: Journal, build: Callable[[], Journal], from_disk: bool
    ) -> None:
        sizes = [10, 5000, 10, 10, 3000, 10]
        await asyncio.gather(*[
            journal.append(make_envelope(n, data="x" * size)) for n, size in enumerate(sizes)
        ])  # fmt: skip
        book = await self.reopened(journal, build) if from_disk else journal
        try:
            after, seen = 0, 0
            while records := await book.read(after, 100, 2000):
                assert sum(len(r.envelope.json) for r in records) <= 2000 or len(records) == 1
                after, seen = records[-1].position, seen + len(records)
            assert seen == len(sizes)
        finally:
            await book.close()

    async def test_stores_a_copy_once(self, journal: Journal) -> None:
        assert await journal.append(dated(1)) is STORED
        assert await journal.append(dated(1)) is DUPLICATE
        assert len(await journal.read(0, 10, MANY)) == 1

    async def test_copies_of_a_pending_event_are_duplicates(self, journal: Journal) -> None:
        futures = [journal.append(dated(n)) for n in (1, 2, 1, 1, 2)]
        assert await asyncio.gather(*futures) == [STORED, STORED, DUPLICATE, DUPLICATE, DUPLICATE]
        assert ids(await journal.read(0, 10, MANY)) == ["event-1", "event-2"]

    async def test_knows_copies_after_a_restart(self, journal: Journal, build: Callable[[], Journal]) -> None:
        await asyncio.gather(*[journal.append(dated(n)) for n in (1, 2, 3)])
        again = await self.reopened(journal, build)
        try:
            verdicts = await asyncio.gather(*[again.append(dated(n)) for n in (4, 2, 2, 5, 1)])
            assert verdicts == [STORED, DUPLICATE, DUPLICATE, STORED, DUPLICATE]
            assert ids(await again.read(0, 10, MANY)) == ["event-1", "event-2", "event-3", "event-4", "event-5"]
        finally:
            await again.close()

    async def test_catches_a_recent_copy_with_another_creation_time(self, journal: Journal) -> None:
        assert await journal.append(dated(1, 1000)) is STORED
        assert await journal.append(dated(1, 2000)) is DUPLICATE

    @pytest.mark.parametrize(
        "other",
        [{"source": "feishu/cli_a1/t-2"}, {"type_": "other_v1"}, {"source": "feishu/cli_a1/t-", "type_": "1corehr"}],
    )
    async def test_one_id_of_two_sources_or_types_is_two_events(self, journal: Journal, other: dict[str, str]) -> None:
        assert await journal.append(make_envelope(1)) is STORED
        assert await journal.append(make_envelope(1, **other)) is STORED

    async def test_joins_of_source_and_type_and_id_are_not_mixed_up(self, journal: Journal) -> None:
        event = make_envelope(1)
        parts = [("a", "b", "c"), ("ab", "", "c"), ("", "ab", "c"), ("a", "bc", ""), ("a", "", "bc"), ("", "", "abc")]
        events = [event._replace(source=s, type=t, id=i) for s, t, i in parts]
        assert await asyncio.gather(*map(journal.append, events)) == [STORED] * 6

    async def test_a_cancelled_push_cancels_no_commit(self, journal: Journal) -> None:
        future = journal.append(dated(1))
        future.cancel()
        assert await journal.append(dated(1)) is DUPLICATE
        assert ids(await journal.read(0, 10, MANY)) == ["event-1"]

    async def test_wait_returns_once_there_is_more(self, journal: Journal) -> None:
        await journal.append(dated(1))
        await asyncio.wait_for(journal.wait(journal.head - 1), 1)
        waiting = asyncio.ensure_future(journal.wait(journal.head))
        await asyncio.sleep(0)
        assert not waiting.done()
        await journal.append(dated(2))
        await asyncio.wait_for(waiting, 5)

    async def test_close_ends_those_who_wait_and_is_idempotent(self, journal: Journal) -> None:
        waiting = asyncio.ensure_future(journal.wait(journal.head))
        await asyncio.sleep(0)
        await asyncio.gather(journal.close(), journal.close())
        await journal.close()
        with pytest.raises(JournalError):
            await asyncio.wait_for(waiting, 5)
        with pytest.raises(JournalError):
            await journal.append(dated(9))

    async def test_close_finishes_what_is_pending(self, journal: Journal, build: Callable[[], Journal]) -> None:
        await journal.register("bus")
        appended = [journal.append(dated(n)) for n in range(10)]
        settled = journal.settle("bus", Settlement(3))
        await journal.close()
        assert {future.result() for future in appended} == {STORED}
        assert settled.result() is None
        again = build()
        await again.open()
        try:
            assert len(await again.read(0, 100, MANY)) == 10
            assert (await again.register("bus")).position == 3
        finally:
            await again.close()

    async def test_only_one_may_have_it_open(self, journal: Journal, build: Callable[[], Journal]) -> None:
        other = build()
        with pytest.raises(JournalOpenError):
            await other.open()
        await other.close()
        assert await journal.append(dated(1)) is STORED

    async def test_a_new_lane_begins_at_the_head_or_where_it_is_told(self, journal: Journal) -> None:
        await asyncio.gather(*[journal.append(dated(n)) for n in range(5)])
        assert (await journal.register("bus")).position == journal.head
        assert (await journal.register("iam", 2)).position == 2
        assert (await journal.register("iam", 4)).position == 2
        assert {lane.name for lane in await journal.lanes()} == {"bus", "iam"}

    async def test_a_cursor_survives_and_the_latest_word_wins(
        self, journal: Journal, build: Callable[[], Journal]
    ) -> None:
        await asyncio.gather(*[journal.append(dated(n)) for n in range(20)])
        await journal.register("bus", 0)
        futures = [
            journal.settle("bus", Settlement(2, [(5, 6)])),
            journal.settle("bus", Settlement(4, [(6, 8), (10, 10)])),
        ]
        await asyncio.wait_for(asyncio.gather(*futures), 5)
        again = await self.reopened(journal, build)
        try:
            (lane,) = await again.lanes()
            assert (lane.position, lane.settled) == (4, [(6, 8), (10, 10)])
        finally:
            await again.close()

    async def test_a_lane_must_be_registered_to_settle(self, journal: Journal) -> None:
        with pytest.raises(JournalError):
            await journal.settle("nobody", Settlement(1))

    async def test_parked_events_come_back_by_key_and_scope(
        self, journal: Journal, build: Callable[[], Journal]
    ) -> None:
        await asyncio.gather(*[journal.append(dated(n)) for n in range(6)])
        await journal.register("bus", 0)
        first, second, third, fourth = (
            Parked(1, "a", "", 1, 2, 3, 4, 500, "http_500", 'oh no: é \n "'),
            Parked(2, "a", "", due_ms=0),
            Parked(3, "b", "", due_ms=100),
            Parked(4, "c", "topic-1", due_ms=1),
        )
        _ = journal.settle("bus", Settlement(4, [], [first, second, third, fourth]))
        for _ in range(2):
            assert [(h.head, h.count) for h in await journal.parked_heads("bus", 10)] == [(third, 1), (first, 2)]
            assert len(await journal.parked_heads("bus", 1)) == 1
            assert await journal.parked_scopes("bus") == {"topic-1": 1}
            found = await journal.read_parked("bus", order_key="a")
            assert [(p, e.id) for p, e in found] == [(first, "event-0"), (second, "event-1")]
            assert [p for p, _ in await journal.read_parked("bus", order_key="a", after=1)] == [second]
            assert [p for p, _ in await journal.read_parked("bus", order_key="a", limit=1)] == [first]
            assert [p for p, _ in await journal.read_parked("bus", scope="topic-1")] == [fourth]
            assert await journal.read_parked("bus", order_key="nothing") == []
            assert [lane.parked for lane in await journal.lanes()] == [4]
            await journal.close()
            journal = build()
            await journal.open()
        await journal.close()

    async def test_texts_that_are_no_proper_unicode_are_no_reason_to_fail(self, journal: Journal) -> None:
        await journal.append(dated(1))
        await journal.register("bus", 0)
        await journal.settle("bus", Settlement(1, [], [Parked(1, "a\0b", "", reason="\ud800", detail="x\0y")]))
        ((parked, _),) = await journal.read_parked("bus", order_key="a\0b")
        assert parked.detail.startswith("x")
        assert parked.detail.endswith("y")
        await journal.quarantine(letter(INGRESS, None, "\ud800\0", b"\xff\0"))
        assert len(await journal.dead_letters()) == 1

    async def test_parking_again_replaces_and_unparking_removes(self, journal: Journal) -> None:
        await asyncio.gather(*[journal.append(dated(n)) for n in range(3)])
        await journal.register("bus", 0)
        _ = journal.settle("bus", Settlement(2, [], [Parked(1, "a", ""), Parked(2, "a", "")]))
        _ = journal.settle("bus", Settlement(2, [], [Parked(1, "a", "", tries=7)], [2]))
        assert [(p.position, p.tries) for p, _ in await journal.read_parked("bus", order_key="a")] == [(1, 7)]
        _ = journal.settle("bus", Settlement(2, [], [Parked(2, "a", "")], [1]))
        assert [p.position for p, _ in await journal.read_parked("bus", order_key="a")] == [2]
        assert [lane.parked for lane in await journal.lanes()] == [1]

    async def test_forgetting_drops_cursor_and_parked_but_not_dead_letters(self, journal: Journal) -> None:
        await asyncio.gather(*[journal.append(dated(n)) for n in range(3)])
        await journal.register("bus", 0)
        await journal.settle("bus", Settlement(1, [], [Parked(1, "a", "")], [], [letter("bus", 2)]))
        _ = journal.settle("bus", Settlement(3))
        await journal.forget("bus")
        assert await journal.lanes() == []
        assert await journal.read_parked("bus", order_key="a") == []
        assert len(await journal.dead_letters(LetterFilter(lanes=("bus",)))) == 1
        with pytest.raises(JournalError):
            await journal.settle("bus", Settlement(2))
        assert (await journal.register("bus")).parked == 0

    async def test_dead_letters_are_kept_whole(self, journal: Journal, build: Callable[[], Journal]) -> None:
        await journal.append(dated(1))
        await journal.register("bus", 0)
        _ = journal.settle("bus", Settlement(1, dead=[letter("bus", 1)]))
        await journal.quarantine(letter(INGRESS, None, "event-9"))
        again = await self.reopened(journal, build)
        try:
            found = await again.dead_letters()
            assert {(x.lane, x.event_id, x.body, x.reason, x.detail, x.attempts, x.dead_ms) for x in found} == {
                ("bus", "event-1", b'{"a":"\\u00e9"}', "http_400", "no\nsuch thing", 3, 30),
                (INGRESS, "event-9", b'{"a":"\\u00e9"}', "http_400", "no\nsuch thing", 3, 30),
            }
            assert [x.lane for x in await again.dead_letters(LetterFilter(lanes=("bus",)))] == ["bus"]
            assert [x.id for x in await again.dead_letters(after=key(found[0]))] == [found[1].id]
            assert len(await again.dead_letters(limit=1)) == 1
            assert [lane.dead for lane in await again.lanes()] == [1]
        finally:
            await again.close()

    async def test_a_quarantined_copy_is_kept_once(self, journal: Journal) -> None:
        letters = [letter(INGRESS, None, "event-1"), letter(INGRESS, None, "event-2"), letter(INGRESS, None, "event-1")]
        await asyncio.gather(*map(journal.quarantine, letters))
        await journal.quarantine(letters[0])
        assert [x.event_id for x in await journal.dead_letters(LetterFilter(lanes=(INGRESS,)))] == [
            "event-1",
            "event-2",
        ]

    async def test_meta_counts(self, journal: Journal) -> None:
        assert journal.meta().events == 0
        await asyncio.gather(*[journal.append(dated(n)) for n in range(5)])
        await journal.register("bus", 2)
        meta = journal.meta()
        assert (meta.head, meta.events, meta.holder) == (journal.head, 5, "bus")
        assert meta.oldest_ms is not None
        await journal.settle("bus", Settlement(journal.head))
        assert journal.meta().holder is None
