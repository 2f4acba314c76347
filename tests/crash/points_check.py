"""A fresh start on what a crash left, and whether it holds what it has to."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from router.journal.contract import INGRESS, Record, Verdict
from router.journal.sqlite import SqliteJournal
from tests.crash.points_child import LIMITS
from tests.crash.points_letters import letters_of
from tests.crash.points_story import KEYS, LANES, SCOPE, Append, Cursor, Quarantine, Story, event, letter, push
from tests.journal.books import make_journal

MANY = 1 << 30
FAR = replace(LIMITS, retention_ms=7 * 86_400_000)
"""A start for looking: it drops nothing by itself."""


@dataclass(frozen=True)
class Heard:
    """What the child said: steps below `said` were begun, those in `done` were called durable."""

    said: int
    done: frozenset[int]

    @classmethod
    def of(cls, lines: list[str]) -> "Heard":
        """The child's lines; the last one may be cut short, and then it wasn't said."""
        begun = [int(line[1:]) for line in lines if line.startswith("+")]
        return cls(max(begun, default=-1) + 1, frozenset(int(line[1:]) for line in lines if line.startswith("-")))

    def bounds(self, indices: list[int]) -> tuple[int, int]:
        """How many of these steps must have been taken, and how many may have been."""
        done = [at for at, index in enumerate(indices, 1) if index in self.done]
        return max(done, default=0), sum(index < self.said for index in indices)


async def check(directory: Path, story: Story, heard: Heard) -> None:
    """All that was called durable is there, once and in order; nothing that wasn't said; nothing by halves."""
    journal = make_journal(directory, limits=FAR)
    await journal.open()
    try:
        cursors = await _check_lanes(journal, story, heard)
        head = await _check_events(journal, story, heard, cursors)
        await _check_pushes(journal, story, heard)
        await _check_remembers(journal, story, heard, head)
    finally:
        await journal.close()
    check_file(directory / "journal.db")


def check_file(path: Path) -> None:
    """SQLite finds nothing wrong with it."""
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def _check_lanes(journal: SqliteJournal, story: Story, heard: Heard) -> list[Cursor]:
    found = [await _cursor(journal, lane) for lane in LANES]
    for lane, cursor in zip(LANES, found, strict=True):
        history = story.history(lane)
        least, most = heard.bounds([index for index, _ in history[1:]])
        allowed = [cursor for _, cursor in history[least : most + 1]]
        assert cursor in allowed, f"lane {lane} is {cursor}, which is none of its {len(allowed)} states since {least}"
    return found


async def _cursor(journal: SqliteJournal, lane: str) -> Cursor:
    letters = await letters_of(journal, lane)
    for found in letters:
        assert found.position is not None
        assert found == letter(lane, found.position)
    dead = frozenset(found.position for found in letters if found.position is not None)
    assert len(dead) == len(letters), f"lane {lane} has a dead letter twice"
    state = next((state for state in await journal.lanes() if state.name == lane), None)
    if state is None:
        return Cursor(dead=dead)
    pairs = [*await journal.read_parked(lane, scope=SCOPE, limit=100_000)]
    for key in KEYS:
        pairs += await journal.read_parked(lane, order_key=key, limit=100_000)
    assert all(envelope.json == event(row.position).json for row, envelope in pairs), f"lane {lane} parks another event"
    parked = sorted((row for row, _ in pairs), key=lambda row: row.position)
    assert (state.parked, state.dead) == (len(parked), len(dead)), f"lane {lane} is counted wrong"
    return Cursor(state.position, tuple(state.settled), tuple(parked), dead)


async def _check_events(journal: SqliteJournal, story: Story, heard: Heard, cursors: list[Cursor]) -> int:
    least, most = heard.bounds([index for index, step in story.steps() if isinstance(step, Append)])
    assert least <= journal.head <= most, f"{journal.head} events were stored; {least} were called durable of {most}"
    records = [record async for record in _all(journal)]
    for record in records:
        assert record.envelope.json == event(record.position).json, f"another event is at position {record.position}"
    there = [record.position for record in records]
    assert there == sorted(set(there)), "events are twice or out of order"
    low = min([cursor.position for cursor in cursors if cursor.position is not None], default=0)
    owed = {row.position for cursor in cursors for row in cursor.parked} | set(range(low + 1, journal.head + 1))
    lost = owed - set(there)
    assert not lost, f"events {sorted(lost)[:5]} are gone, and not settled by every lane"
    assert journal.meta().events == len(there), "the events are counted wrong"
    return journal.head


async def _all(journal: SqliteJournal) -> AsyncIterator[Record]:
    after = 0
    while records := await journal.read(after, 1000, MANY):
        for record in records:
            yield record
        after = records[-1].position


async def _check_pushes(journal: SqliteJournal, story: Story, heard: Heard) -> None:
    least, most = heard.bounds([index for index, step in story.steps() if isinstance(step, Quarantine)])
    kept = await letters_of(journal, INGRESS)
    assert least <= len(kept) <= most
    assert kept == [push(number) for number in range(1, len(kept) + 1)]


async def _check_remembers(journal: SqliteJournal, story: Story, heard: Heard, head: int) -> None:
    """Feishu pushes everything again: what is there is known, the rest is taken in as if it were new."""
    _, most = heard.bounds([index for index, step in story.steps() if isinstance(step, Append)])
    verdicts = [await answer for answer in [journal.append(event(n)) for n in range(1, most + 1)]]
    assert verdicts == [Verdict.DUPLICATE] * head + [Verdict.STORED] * (most - head)
    after = [record async for record in _all(journal) if record.position > head]
    assert [record.envelope.json for record in after] == [event(n).json for n in range(head + 1, most + 1)]
