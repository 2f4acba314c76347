"""Promises about durability, shown on a process of its own: by its system calls, by making them fail, by killing it."""

import asyncio
import re
import sqlite3
from pathlib import Path
from typing import IO

import pytest

from router.clock import SystemClock
from router.journal.batch import Batch
from router.journal.contract import JournalFailedError
from router.journal.store import Done, Store
from router.journal.writer import Writer
from tests.doubles.envelopes import make_envelope
from tests.doubles.waiting import until
from tests.journal.appender import AT_ONCE
from tests.journal.books import SMALL, opened
from tests.journal.processes import start, traced

MANY = 1 << 30


async def stored(directory: Path) -> list[str]:
    """All ids in the journal, by a fresh start."""
    found: list[str] = []
    async with opened(directory) as journal:
        after = 0
        while records := await journal.read(after, 1000, MANY):
            found += [record.envelope.id for record in records]
            after = records[-1].position
    return found


def test_syncs_before_it_says_durable_and_less_often_than_it_says_so(tmp_path: Path) -> None:
    trace = traced(tmp_path / "data", tmp_path / "log", 600)
    assert trace.returncode == 0
    assert sorted(trace.durable()) == list(range(1, 601))
    opened_log = [re.match(r"openat\(.*journal\.db-wal.*O_RDWR.*= (\d+)$", call) for call in trace.calls]
    logs = [found[1] for found in opened_log if found is not None]
    synced = re.compile(rf"(fdatasync|fsync)\({logs[0]}\) += 0$|<\.\.\. (fdatasync|fsync) resumed>.* = 0$")
    first = next(i for i, call in enumerate(trace.calls) if call.startswith("write(1,"))
    written = next(i for i, call in enumerate(trace.calls) if f"pwrite64({logs[0]}," in call)
    assert any(synced.match(call) for call in trace.calls[written:first]), "announced before any sync of the log"
    said_since = most = syncs = 0
    for call in trace.calls[written:]:
        if synced.match(call):
            syncs, said_since = syncs + 1, 0
        elif call.startswith("write(1,"):
            said_since += 1
            most = max(most, said_since)
    assert most <= 2 * AT_ONCE, "more was announced between two syncs than two commits can hold"
    assert syncs < 600 / 4, "commits aren't shared"


async def test_a_failed_sync_ends_the_journal_and_is_not_tried_again(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    trace = traced(directory, tmp_path / "log", 100_000, inject=["fdatasync:error=EIO:when=30"])
    assert trace.returncode == 3
    assert "JournalFailedError" in trace.output
    failed = next(i for i, call in enumerate(trace.calls) if "EIO" in call)
    after = trace.calls[failed + 1 :]
    touching = re.compile(r"f(data)?sync\(|pwrite64\(|ftruncate\(|unlink\(")
    assert not [call for call in after if touching.match(call)], "the files were touched again"
    assert not [call for call in after if re.match(r'write\(1, "\d', call)], "announced after the failure"
    durable = trace.durable()
    assert durable
    found = await stored(directory)
    assert {f"event-{n}" for n in durable} <= set(found)
    assert len(found) == len(set(found))


async def test_a_failed_write_ends_the_journal(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    trace = traced(directory, tmp_path / "log", 100_000, inject=["pwrite64:error=EIO:when=200"])
    assert trace.returncode == 3
    assert "JournalFailedError" in trace.output
    assert {f"event-{n}" for n in trace.durable()} <= set(await stored(directory))


def _read_some(pipe: IO[bytes], lines: int) -> list[int]:
    return [int(pipe.readline()) for _ in range(lines)]


async def test_what_was_said_durable_is_there_once_after_kill_9(tmp_path: Path) -> None:
    said: list[int] = []
    for round_ in range(10):
        process = start(tmp_path, (round_ + 1) * 1_000_000)
        assert process.stdout is not None
        said += _read_some(process.stdout, 40 + 97 * round_)
        process.kill()
        rest = process.stdout.read().split(b"\n")[:-1]
        process.wait()
        process.stdout.close()
        said += [int(line) for line in rest]
    found = await stored(tmp_path)
    assert len(found) == len(set(found)), "stored twice"
    missing = {f"event-{n}" for n in said} - set(found)
    assert not missing
    assert len(said) > 4000


async def test_after_a_failure_everything_is_refused_and_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        journal._store._db.execute("PRAGMA query_only=ON")  # the nearest to a failing disk within this process
        with pytest.raises(JournalFailedError):
            await journal.append(make_envelope(1))
        failure = await journal.wait_failed()
        assert journal.failed is failure
        with pytest.raises(JournalFailedError):
            await journal.append(make_envelope(2))
        with pytest.raises(JournalFailedError):
            await journal.wait(0)
    await journal.close()


class FailsOnce(Store):
    """A store whose first commit fails and whose next ones would not."""

    commits = 0
    closed_as_failed: bool | None = None

    def commit(self, batch: Batch) -> Done:
        self.commits += 1
        if self.commits == 1:
            raise sqlite3.OperationalError("disk I/O error")
        return Done(1, 1)

    def close(self, *, failed: bool) -> None:
        self.closed_as_failed = failed


async def test_batches_already_handed_over_when_one_fails_are_not_written(tmp_path: Path) -> None:
    answers: list[Done | Exception] = []
    store = FailsOnce(tmp_path / "journal.db", SMALL, SystemClock())
    writer = Writer(store, lambda _, outcome: answers.append(outcome))
    writer.start(asyncio.get_running_loop())
    for _ in range(3):
        writer.submit(Batch())
    await asyncio.to_thread(writer.stop)
    await until(lambda: len(answers) == 3)
    assert all(isinstance(answer, sqlite3.OperationalError) for answer in answers)
    assert (store.commits, store.closed_as_failed) == (1, True)
