"""Searching many dead letters: globs as in EVENTS, in slices, over the index alone, bounded in bytes."""

import asyncio
import sqlite3
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dispatch.routes import Globs
from router.journal import letters, schema
from router.journal.contract import INGRESS, DeadLetter, LetterFilter, LetterGroup, LetterKey, Settlement
from tests.contracts.journal import dated, letter
from tests.doubles.journal import chosen, letter_key
from tests.journal.books import opened

NAMES = st.text("ab.*?[]!-^\\é\n", max_size=6)


@given(st.lists(NAMES | st.builds("!{}".format, NAMES), max_size=4), st.lists(NAMES, max_size=8))
def test_globs_mean_what_events_mean(patterns: list[str], types: list[str]) -> None:
    globs = Globs(patterns)
    assert letters.matching(patterns, types) == [type_ for type_ in types if globs[type_]]


def fill(db: sqlite3.Connection, number: int) -> list[DeadLetter]:
    """Letters of two sinks and the ingress, their ids in another order than their places."""
    schema.migrate(db, 0)
    made: list[DeadLetter] = []
    for n in range(number):
        lane, position = ("bus", "iam", INGRESS)[n // 4 % 3], None if n // 4 % 3 == 2 else n * 37 % number + 1
        one = replace(
            letter(lane, position, f"e{n}"), type=f"t.{n % 5}", reason=f"r{n % 2}", dead_ms=n, app=f"a{n % 4}", id=n + 1
        )
        db.execute(
            "INSERT INTO dead_letters (id, lane, position, event_id, type, subject, body, reason, detail, attempts, "
            "first_failed_ms, last_failed_ms, dead_ms, app) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (one.id, lane, position, one.event_id, one.type, one.subject, one.body, one.reason, one.detail, one.attempts,
             one.first_failed_ms, one.last_failed_ms, n, one.app),
        )  # fmt: skip
        made.append(one)
    return sorted(made, key=letter_key)


FILTERS = st.builds(
    LetterFilter,
    lanes=st.lists(st.sampled_from(["bus", "iam", INGRESS, "x"]), max_size=2).map(tuple),
    types=st.lists(st.sampled_from(["t.1", "t.*", "!t.2", "t.[34]", "x"]), max_size=2).map(tuple),
    apps=st.lists(st.sampled_from(["a1", "a2"]), max_size=1).map(tuple),
    reasons=st.lists(st.sampled_from(["r0", "r1"]), max_size=1).map(tuple),
    since_ms=st.none() | st.integers(0, 60),
    until_ms=st.none() | st.integers(0, 60),
    up_to_id=st.none() | st.integers(0, 60),
    ids=st.lists(st.integers(0, 70), max_size=3).map(tuple),
)


@given(FILTERS, st.integers(1, 70), st.integers(1, 9), st.integers(-1, 59))
def test_slices_give_what_a_look_at_each_letter_gives(
    wanted: LetterFilter, limit: int, slice_: int, from_: int
) -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    every = fill(db, 60)
    after = letter_key(every[from_]) if from_ >= 0 else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(letters, "SLICE", slice_)
        found = list(chain.from_iterable(letters.find(db, wanted, limit, after)))
        groups = letters.merged(chain.from_iterable(letters.count(db, wanted)))
    right = [one for one in every if chosen(wanted, one)]
    assert found == [one for one in right if after is None or letter_key(one) > after][:limit]
    assert sum(group.count for group in groups) == len(right)
    for group in groups:
        same = [one for one in right if (one.lane, one.type, one.reason) == (group.lane, group.type, group.reason)]
        times = [one.dead_ms for one in same]
        last = max(one.id for one in same)
        assert group == LetterGroup(*letters._kind(group), len(same), min(times), max(times), last)
    db.close()


def test_a_page_begins_behind_its_key_whether_a_letter_is_there_or_not() -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    every = fill(db, 30)
    for one in every:
        for beside in (-1, 0, 1):
            after = letter_key(one)._replace(id=one.id + beside)
            found = list(chain.from_iterable(letters.find(db, LetterFilter(), 30, after)))
            assert found == [letter for letter in every if letter_key(letter) > after]
    db.close()


def test_no_slice_is_longer_than_it_may_be_and_none_reads_bodies_to_count() -> None:
    db = sqlite3.connect(":memory:", isolation_level=None)
    fill(db, 100)
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    for _ in letters.count(db, LetterFilter(types=("t.*",), apps=("a1",), since_ms=3)):
        pass
    list(letters.find(db, LetterFilter(apps=("a1",)), 5, LetterKey("bus", 50, 7)))
    db.set_trace_callback(None)
    plans = [" ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")) for sql in asked]
    assert plans
    for sql, plan in zip(asked, plans, strict=True):
        if "count(*)" in sql:
            assert "SEARCH dead_letters USING COVERING INDEX dead_place (lane=?" in plan, sql
        assert "SCAN dead_letters" not in plan.replace("SCAN dead_letters USING COVERING INDEX dead_type", ""), sql
    db.close()


async def test_large_letters_come_a_few_at_a_time(tmp_path: Path) -> None:
    body = b"x" * (3 << 20)
    async with opened(tmp_path) as journal:
        await asyncio.gather(*[journal.append(dated(n)) for n in range(4)])
        await journal.register("bus", 0)
        for position in range(1, 5):
            dead = replace(letter("bus", position), body=body * (3 if position == 3 else 1))
            await journal.settle("bus", Settlement(position, dead=[dead]))
        found = await journal.dead_letters()
        assert [row.position for row in found] == [1, 2, 3]  # the one that goes beyond is the last
        assert [row.position for row in await journal.dead_letters(after=letter_key(found[1]))] == [3]
        assert [row.position for row in await journal.dead_letters(after=letter_key(found[2]))] == [4]
