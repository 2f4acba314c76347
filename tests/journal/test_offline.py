"""Looking into a journal without a router: nothing is changed, nothing is missed, nobody is disturbed."""

import hashlib
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from router.journal import guard, schema
from router.journal.contract import (
    INGRESS,
    JournalError,
    JournalOpenError,
    LaneNotes,
    LetterFilter,
    Parked,
    Settlement,
)
from router.journal.offline import OfflineJournal
from tests.contracts.journal import dated, key, letter
from tests.journal.books import make_journal, opened
from tests.journal.processes import start


async def fill(directory: Path) -> Path:
    async with opened(directory) as journal:
        for number in range(1, 6):
            await journal.append(dated(number))
        await journal.register("bus", 0, '{"type":"http"}')
        await journal.settle(
            "bus", Settlement(2, [(4, 4)], [Parked(1, "k", "")], [], [letter("bus", 2), letter("bus", 4)])
        )
        await journal.quarantine(letter(INGRESS, None))
        return journal.path


def state(directory: Path) -> dict[str, tuple[str, int]]:
    return {
        file.name: (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_mtime_ns)
        for file in directory.iterdir()
    }


def crashed(directory: Path, target: Path) -> Path:
    """What a crash at this moment would leave."""
    target.mkdir()
    for file in directory.glob("journal.db*"):
        shutil.copyfile(file, target / file.name)
    return target / "journal.db"


def check(path: Path) -> None:
    before = state(path.parent)
    with OfflineJournal(path, 5) as journal:
        found = journal.dead_letters()
        assert [(x.lane, x.position) for x in found] == [("bus", 2), ("bus", 4), (INGRESS, None)]
        assert [x.position for x in journal.dead_letters(after=key(found[0]), limit=1)] == [4]
        assert [(x.lane, x.count) for x in journal.count_letters()] == [("bus", 2), (INGRESS, 1)]
        assert journal.count_letters(LetterFilter(types=("!a.*",))) == []
        (lane,) = journal.lanes()
        assert (lane.name, lane.position, lane.settled, lane.parked, lane.dead) == ("bus", 2, [(4, 4)], 1, 2)
        assert lane.notes == LaneNotes(0, about='{"type":"http"}')
        meta = journal.meta()
        assert (meta.head, meta.events, meta.holder, dict(meta.dead)) == (5, 5, "bus", {"bus": 2, INGRESS: 1})
        assert (meta.limit_bytes, meta.bytes > 0) == (5, True)
        assert state(path.parent) == before
    assert state(path.parent) == before


async def test_after_a_clean_end(tmp_path: Path) -> None:
    check(await fill(tmp_path))


async def test_after_a_crash_all_of_the_log_is_read(tmp_path: Path) -> None:
    await fill(tmp_path / "a")
    async with opened(tmp_path / "b") as journal:
        for number in range(1, 6):
            await journal.append(dated(number))
        await journal.register("bus", 0, '{"type":"http"}')
        dead = [letter("bus", 2), letter("bus", 4)]
        await journal.settle("bus", Settlement(2, [(4, 4)], [Parked(1, "k", "")], [], dead))
        await journal.quarantine(letter(INGRESS, None))
        path = crashed(tmp_path / "b", tmp_path / "c")
    assert path.with_name("journal.db-wal").stat().st_size > 0
    check(path)
    path.with_name("journal.db-shm").unlink()
    before = state(path.parent)
    with pytest.raises(JournalOpenError, match=r"journal\.db-shm is missing"):
        OfflineJournal(path).open()
    assert state(path.parent) == before


async def test_while_a_router_runs_it_is_named(tmp_path: Path) -> None:
    async with opened(tmp_path):
        before = state(tmp_path)
        with pytest.raises(JournalOpenError, match=f"in use by router process {os.getpid()}"):
            OfflineJournal(tmp_path / "journal.db").open()
        assert state(tmp_path) == before
    process = start(tmp_path, 1)
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(JournalOpenError, match=f"in use by router process {process.pid}"):
        OfflineJournal(tmp_path / "journal.db").open()
    process.kill()
    process.wait()
    process.stdout.close()
    with OfflineJournal(tmp_path / "journal.db") as journal:
        assert journal.meta().head > 0


async def test_a_router_that_starts_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = await fill(tmp_path)
    monkeypatch.setattr(guard, "READERS_SECONDS", 0.1)
    with (
        OfflineJournal(path),
        OfflineJournal(path),
        pytest.raises(JournalOpenError, match="is being read by a command"),
    ):
        await make_journal(tmp_path).open()
    async with opened(tmp_path) as journal:
        assert journal.head == 5


async def test_an_older_format_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with sqlite3.connect(path, isolation_level=None) as db:
        schema.configure(db)
        schema.MIGRATIONS[1](db)
        db.execute(f"PRAGMA application_id={schema.APPLICATION_ID}")
        db.execute("PRAGMA user_version=1")
    db.close()
    before = state(tmp_path)
    with pytest.raises(JournalOpenError, match="start a router of this version on it once"):
        OfflineJournal(path).open()
    assert state(tmp_path) == before


def test_what_is_no_journal_is_said(tmp_path: Path) -> None:
    journal = OfflineJournal(tmp_path / "journal.db")
    with pytest.raises(JournalOpenError, match="there is no journal"):
        journal.open()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(JournalError, match="not open"):
        journal.lanes()
    (tmp_path / "journal.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(JournalOpenError, match="damaged"):
        journal.open()


def test_damage_that_shows_later_is_an_error_of_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with sqlite3.connect(path, isolation_level=None) as db:
        schema.configure(db)
        schema.migrate(db, 0)
        db.execute(
            "INSERT INTO dead_letters (lane, position, event_id, type, body, reason, detail, attempts, first_failed_ms, "
            "last_failed_ms, dead_ms, history) VALUES ('bus', 1, 'e', 't', x'7b7d', 'r', 'd', 1, 1, 1, 1, '[[1]]')"
        )
    db.close()
    with OfflineJournal(path) as journal, pytest.raises(JournalError, match="history of attempts is damaged"):
        journal.dead_letters()
