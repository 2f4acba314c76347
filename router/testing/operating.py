"""What every journal must do for those who operate a router: search, revive and purge dead letters, and keep lanes' notes."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from router.envelope import Envelope
from router.journal.contract import (
    INGRESS,
    Attempt,
    DeadLetter,
    Journal,
    JournalError,
    LaneNotes,
    LetterFilter,
    LetterGroup,
    Parked,
    Settlement,
    Verdict,
)
from router.testing.journal import MANY, JournalContract, dated, ids, key, letter

HISTORY = (Attempt(5, "http_500", 'oh no: é \n "'), Attempt(7, "timeout", ""))


def of_event(lane: str, position: int, event: Envelope, **changes: object) -> DeadLetter:
    made = replace(
        letter(lane, position, event.id, event.json), type=event.type, subject=event.subject, app=event.appid
    )
    return replace(made, **changes)  # type: ignore[arg-type] # fields by name


async def bury(journal: Journal, lane: str, events: Sequence[Envelope]) -> list[DeadLetter]:
    """Append events and make dead letters of them for a lane that has read everything."""
    first = journal.head + 1
    await asyncio.gather(*map(journal.append, events))
    await journal.register(lane, 0)
    dead = [of_event(lane, first + n, event) for n, event in enumerate(events)]
    await journal.settle(lane, Settlement(journal.head, dead=dead))
    found = await journal.dead_letters(LetterFilter(lanes=(lane,)), 1000)
    return [row for row in found if (row.position or 0) >= first]


class OperatingContract(JournalContract):
    """The whole contract. Positions grow by one in the journals it is for."""

    async def test_notes_of_a_lane_survive(self, journal: Journal, build: Callable[[], Journal]) -> None:
        await journal.append(dated(1))
        assert (await journal.register("bus", about='{"type":"http"}')).notes == LaneNotes(1, about='{"type":"http"}')
        assert (await journal.register("bus", 0, "other")).notes.about == '{"type":"http"}'
        notes = LaneNotes(1, paused=True, absent_ms=77, about='{"é":1}')
        await journal.note("bus", notes)
        await journal.settle("bus", Settlement(1))
        again = await self.reopened(journal, build)
        try:
            (state,) = await again.lanes()
            assert (state.notes, state.position) == (notes, 1)
            with pytest.raises(JournalError):
                await again.note("nobody", notes)
        finally:
            await again.close()

    async def test_no_number_is_given_twice(self, journal: Journal, build: Callable[[], Journal]) -> None:
        first = await journal.number()
        assert first > 0
        second, third = await journal.number(above=first + 7), await journal.number(above=1)
        assert first + 7 < second < third
        again = await self.reopened(journal, build)
        try:
            assert await again.number() > third
        finally:
            await again.close()

    async def test_histories_survive(self, journal: Journal, build: Callable[[], Journal]) -> None:
        await asyncio.gather(*[journal.append(dated(n)) for n in range(2)])
        await journal.register("bus", 0)
        parked = Parked(1, "a", "", 1, 2, 3, 4, 5, "timeout", "", HISTORY)
        dead = replace(letter("bus", 2), history=HISTORY, app="cli_1")
        await journal.settle("bus", Settlement(2, [], [parked], [], [dead]))
        again = await self.reopened(journal, build)
        try:
            ((found, _),) = await again.read_parked("bus", order_key="a")
            assert found == parked
            (kept,) = await again.dead_letters()
            assert replace(kept, id=0) == dead
            (head,) = await again.parked_heads("bus", 10)
            assert head.head == replace(parked, history=())
        finally:
            await again.close()

    async def test_a_history_that_is_no_proper_unicode_is_no_reason_to_fail(self, journal: Journal) -> None:
        await journal.append(dated(1))
        await journal.register("bus", 0)
        odd = (Attempt(1, "x\0y", "\ud800"),)
        await journal.settle("bus", Settlement(1, [], [Parked(1, "a", "", history=odd)]))
        ((parked, _),) = await journal.read_parked("bus", order_key="a")
        assert parked.history[0].at_ms == 1

    async def test_letters_come_by_lane_place_and_id(self, journal: Journal) -> None:
        await asyncio.gather(*[journal.append(dated(n)) for n in range(9)])
        for lane in ("zeta", "iam", "Bus"):
            await journal.register(lane, 0)
        for position in (5, 2, 9):
            await journal.settle("zeta", Settlement(0, [(1, 9)], dead=[letter("zeta", position)]))
            await journal.settle("Bus", Settlement(0, [(1, 9)], dead=[letter("Bus", position)]))
        for number in (3, 1, 2):
            await journal.quarantine(letter(INGRESS, None, f"event-{number}"))
        places = [("Bus", 2), ("Bus", 5), ("Bus", 9), *[(INGRESS, 0)] * 3, ("zeta", 2), ("zeta", 5), ("zeta", 9)]
        found = await journal.dead_letters()
        assert [(row.lane, row.position or 0) for row in found] == places
        assert [key(row) for row in found] == sorted(key(row) for row in found)
        for size in (1, 2, 4):
            paged: list[DeadLetter] = []
            while step := await journal.dead_letters(limit=size, after=key(paged[-1]) if paged else None):
                assert len(step) <= size
                paged += step
            assert paged == list(found)

    @pytest.mark.parametrize(
        ("wanted", "numbers"),
        [
            (LetterFilter(), [1, 2, 3, 4, 0]),
            (LetterFilter(lanes=("bus", "nobody")), [1, 2]),
            (LetterFilter(lanes=("iam", "bus", "iam")), [1, 2, 3, 4]),
            (LetterFilter(types=("a.*",)), [1, 2, 4, 0]),
            (LetterFilter(types=("!a.*",)), [3]),
            (LetterFilter(types=("!a.b", "a.[bc]")), [4]),
            (LetterFilter(types=("A.*",)), []),
            (LetterFilter(apps=("cli_1",)), [1, 3]),
            (LetterFilter(apps=("cli_1", "")), [1, 3, 0]),
            (LetterFilter(subjects=("od-é",)), [2, 4]),
            (LetterFilter(reasons=("timeout",)), [2, 3]),
            (LetterFilter(since_ms=20, until_ms=40), [2, 3]),
            (LetterFilter(apps=("cli_1",), reasons=("timeout",)), [3]),
            (LetterFilter(ids=(10_000,)), []),
            (LetterFilter(subjects=("'; DROP TABLE events; --", "\ud800")), []),
        ],
    )
    async def test_letters_are_searched(self, journal: Journal, wanted: LetterFilter, numbers: list[int]) -> None:
        rows = [
            ("bus", 1, "a.b", "cli_1", None, "http_400", 10),
            ("bus", 2, "a.b", "cli_2", "od-é", "timeout", 20),
            ("iam", 3, "b.b", "cli_1", "od-1", "timeout", 30),
            ("iam", 4, "a.c", "cli_2", "od-é", "http_400", 40),
        ]
        await asyncio.gather(*[journal.append(dated(n)) for n in range(4)])
        for lane, position, type_, app, subject, reason, dead_ms in rows:
            await journal.register(lane, 0)
            dead = replace(letter(lane, position), type=type_, app=app, subject=subject, reason=reason, dead_ms=dead_ms)
            await journal.settle(lane, Settlement(4, dead=[dead]))
        await journal.quarantine(replace(letter(INGRESS, None), type="a.b", dead_ms=50))
        found = await journal.dead_letters(wanted)
        assert sorted(row.position or 0 for row in found) == sorted(numbers)
        assert sum(group.count for group in await journal.count_letters(wanted)) == len(numbers)
        for row in found:
            assert await journal.dead_letters(replace(wanted, ids=(row.id,))) == [row]
            up_to = await journal.dead_letters(replace(wanted, up_to_id=row.id))
            assert {x.id for x in up_to} == {x.id for x in found if x.id <= row.id}

    async def test_letters_are_counted_by_lane_type_and_reason(self, journal: Journal) -> None:
        dead = await bury(journal, "bus", [dated(n) for n in range(3)])
        type_ = dead[0].type
        assert await journal.count_letters() == [LetterGroup("bus", type_, "http_400", 3, 30, 30, dead[-1].id)]
        await journal.quarantine(replace(letter(INGRESS, None), dead_ms=31))
        last = (await journal.dead_letters(LetterFilter(lanes=(INGRESS,))))[0]
        assert (await journal.count_letters())[1] == LetterGroup(INGRESS, "a.type_v1", "http_400", 1, 31, 31, last.id)

    async def test_counts_of_letters_are_known(self, journal: Journal, build: Callable[[], Journal]) -> None:
        dead = await bury(journal, "bus", [dated(n) for n in range(3)])
        await journal.quarantine(letter(INGRESS, None))
        assert dict(journal.meta().dead) == {"bus": 3, INGRESS: 1}
        assert await journal.purge([dead[0].id, dead[0].id, 10_000]) == 1
        await journal.forget("bus")
        assert dict(journal.meta().dead) == {"bus": 2, INGRESS: 1}
        again = await self.reopened(journal, build)
        try:
            assert dict(again.meta().dead) == {"bus": 2, INGRESS: 1}
            assert await again.purge([row.id for row in await again.dead_letters()]) == 3
            assert dict(again.meta().dead) == {}
            assert await again.purge([]) == 0
        finally:
            await again.close()

    async def test_a_revived_letter_is_parked_again(self, journal: Journal, build: Callable[[], Journal]) -> None:
        events = [dated(n) for n in range(4)]
        dead = await bury(journal, "bus", events)
        rows = {row.id: Parked(row.position or 0, "k", "", tries=3, history=HISTORY) for row in dead[:3]}
        assert sorted(await journal.revive("bus", rows)) == sorted(rows)
        assert await journal.revive("bus", rows) == []
        for _ in range(2):
            found = await journal.read_parked("bus", order_key="k")
            assert [(parked, event.json) for parked, event in found] == [
                (row, event.json) for row, event in zip(rows.values(), events, strict=False)
            ]
            assert [row.id for row in await journal.dead_letters()] == [dead[3].id]
            (state,) = await journal.lanes()
            assert (state.parked, state.dead) == (3, 1)
            assert journal.meta().events == 4
            await journal.close()
            journal = build()
            await journal.open()
        await journal.settle("bus", Settlement(4, unparked=[row.position for row in rows.values()]))
        assert await journal.parked_heads("bus", 10) == []
        await journal.close()

    async def test_what_cannot_be_revived_is_left_out(self, journal: Journal) -> None:
        dead = await bury(journal, "bus", [dated(n) for n in range(3)])
        await bury(journal, "iam", [dated(9)])
        await journal.quarantine(letter(INGRESS, None))
        every = await journal.dead_letters()
        rows = {row.id: Parked(row.position or 1, "k", "") for row in every} | {10_000: Parked(1, "k", "")}
        rows[dead[0].id] = Parked(3, "k", "")
        await journal.forget("bus")
        await journal.register("bus", 2)
        assert await journal.revive("bus", rows) == [dead[1].id]
        assert len(await journal.dead_letters()) == len(every) - 1
        with pytest.raises(JournalError):
            await journal.revive("nobody", rows)

    async def test_a_new_name_takes_everything_along(self, journal: Journal, build: Callable[[], Journal]) -> None:
        await asyncio.gather(*[journal.append(dated(n)) for n in range(6)])
        await journal.register("old", 0, "about")
        _ = journal.settle("old", Settlement(3, [(5, 5)], [Parked(1, "a", "")], [], [letter("old", 2)]))
        before = (await journal.lanes())[0].notes
        await journal.rename("old", "new")
        with pytest.raises(JournalError):
            await journal.settle("old", Settlement(4))
        again = await self.reopened(journal, build)
        try:
            (state,) = await again.lanes()
            assert (state.name, state.position, state.settled, state.parked, state.dead) == ("new", 3, [(5, 5)], 1, 1)
            assert state.notes == before
            assert [row.lane for row in await again.dead_letters()] == ["new"]
            assert [p.position for p, _ in await again.read_parked("new", order_key="a")] == [1]
            assert dict(again.meta().dead) == {"new": 1}
        finally:
            await again.close()

    async def test_two_cursors_become_one(self, journal: Journal) -> None:
        await asyncio.gather(*[journal.append(dated(n)) for n in range(10)])
        await journal.register("old", 0)
        await journal.settle("old", Settlement(2, [(4, 5)], [Parked(1, "a", "")], [], [letter("old", 2)]))
        await journal.register("new", 5, "http")
        dead = [letter("new", 7), letter("new", 2)]
        await journal.settle("new", Settlement(7, [(9, 9)], [Parked(6, "b", "")], [], dead))
        await journal.rename("old", "new")
        (state,) = await journal.lanes()
        assert (state.name, state.position, state.settled) == ("new", 2, [(4, 7), (9, 9)])
        assert (state.parked, state.dead, state.notes) == (2, 2, LaneNotes(0, about="http"))
        assert [p.position for p, _ in await journal.read_parked("new")] == [1, 6]
        assert [row.position for row in await journal.dead_letters()] == [2, 7]

    @pytest.mark.parametrize("far", [Settlement(6), Settlement(0, [(6, 6)]), Settlement(0, [], [Parked(6, "a", "")])])
    async def test_two_that_have_read_the_same_stay_two(self, journal: Journal, far: Settlement) -> None:
        await asyncio.gather(*[journal.append(dated(n)) for n in range(10)])
        await journal.register("old", 0)
        await journal.settle("old", far)
        await journal.register("new", 5)
        with pytest.raises(JournalError, match="read the same"):
            await journal.rename("old", "new")
        for wrong in (("nobody", "new"), ("old", INGRESS)):
            with pytest.raises(JournalError):
                await journal.rename(*wrong)
        await journal.rename("old", "old")
        assert {state.name for state in await journal.lanes()} == {"old", "new"}
        await journal.settle("old", Settlement(6))

    async def test_lanes_come_and_go_while_others_settle(self, journal: Journal) -> None:
        await asyncio.gather(*[journal.append(dated(n)) for n in range(10)])
        await journal.register("bus", 0)
        for number in range(1, 4):
            name = f"bus/replay-{number}"
            assert (await journal.register(name, number)).position == number
            _ = journal.settle("bus", Settlement(number))
            _ = journal.settle(name, Settlement(10, [], [Parked(number + 1, "a", "")]))
            assert len(await journal.read_parked(name)) == 1
            await journal.forget(name)
            assert await journal.read_parked(name) == []
        (state,) = await journal.lanes()
        assert (state.name, state.position) == ("bus", 3)

    async def test_a_time_has_its_place(self, journal: Journal) -> None:
        assert await journal.position_at(0) == 0
        await asyncio.gather(*[journal.append(dated(n)) for n in range(10)])
        assert await journal.position_at(0) == 0
        oldest = journal.meta().oldest_ms
        assert oldest is not None
        assert await journal.position_at(oldest) == 0
        assert await journal.position_at(1 << 50) == journal.head

    async def test_a_copy_of_a_dead_letter_is_no_copy_of_its_event(self, journal: Journal) -> None:
        event = dated(1)
        copy = event.marked(deadsink="iam", deadreason="http_400")
        other = event.marked(deadsink="bus", deadreason="http_400")
        later = copy._replace(recordedtime="2027-01-01T00:00:00Z")
        verdicts = [await journal.append(each) for each in (event, copy, other, later, copy, event)]
        assert verdicts == [Verdict.STORED] * 4 + [Verdict.DUPLICATE] * 2
        assert ids(await journal.read(0, 10, MANY)) == [event.id] * 4
