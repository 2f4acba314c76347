"""The real program on a disk that fails, or fills up, under load: what was answered 200 is delivered in the end."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.disks import MIB, Failure, SmallDisk, calls_around_failure, small_disk
from tests.crash.points_runs import ROOT
from tests.doubles.receiver import Receiver
from tests.flow.feishu import ENVIRON, Feishu
from tests.flow.program import Program, eventually
from tests.flow.targets import by_subject, check, stored

pytestmark = pytest.mark.timeout(240)
PATIENCE = 60.0
DISK = 144 * MIB
FLOOR = 64 * MIB
LOG, DATABASE = "journal.db-wal", "journal.db"


@dataclass
class World:
    """A router with one HTTP sink, and a Feishu that pushes all the time."""

    router: Program
    feishu: Feishu
    receiver: Receiver

    async def until(self, fact: Callable[[], bool]) -> None:
        await asyncio.to_thread(eventually, fact, PATIENCE, lambda: f"never: {self.router.tail()}")

    async def more(self, count: int) -> None:
        """That many more pushes answered 200."""
        wanted = len(self.feishu.all_answered) + count
        await self.until(lambda: len(self.feishu.all_answered) >= wanted)

    async def refused(self, count: int) -> None:
        """That many more answers other than 200."""
        wanted = self.feishu.retries + count
        await self.until(lambda: self.feishu.retries >= wanted)

    async def ended(self) -> int:
        process = self.router._process
        assert process is not None
        return await asyncio.to_thread(process.wait, PATIENCE)

    async def drained(self) -> None:
        """Nobody pushes, and the sink has everything."""
        self.feishu.pushing.clear()
        await self.until(self.router.drained)

    def check(self) -> int:
        """Returns how many copies arrived."""
        answered, sent = self.feishu.all_answered, self.feishu.sent
        kept = stored(self.router.folder / "data" / DATABASE)
        assert answered <= set(kept), "an event that was answered 200 is not in the journal"
        assert max(kept.values()) == 1, "an event is stored twice"
        bodies = [json.loads(request.body) for request in self.receiver.requests]
        return check(by_subject(bodies, apart=False), answered, sent, {id_: int(id_.split("-")[1]) for id_ in sent})


@asynccontextmanager
async def world(folder: Path, prefix: list[str]) -> AsyncIterator[World]:
    """Pushing has begun; afterwards it has ended, and it must have been answered 200 or 503 only."""
    async with Receiver() as receiver:
        sink = {"FER_SINKS": "iam", "FER_SINK__IAM__TYPE": "http", "FER_SINK__IAM__URL": receiver.url}
        journal = {"FER_JOURNAL__MAX_BYTES": "16MiB"}  # so that the log is carried over often
        with Program(folder, ENVIRON | sink | journal | {"PYTHONPATH": str(ROOT)}, prefix) as router:
            feishu = Feishu(router.url, pause=0.01)
            feishu.pushing.set()
            pushing = asyncio.create_task(feishu.run())
            try:
                yield World(router, feishu, receiver)
                assert not pushing.done(), f"Feishu stopped pushing: {pushing.exception()!r}"
            finally:
                pushing.cancel()
                await asyncio.gather(pushing, return_exceptions=True)


@pytest.mark.parametrize(
    ("failure", "after"),
    [
        (Failure(LOG, "fdatasync", "EIO", 12, 12), "pwrite64"),  # a commit's: the first checkpoint comes later
        (Failure(LOG, "fdatasync", "EIO", 25, 25), ""),
        (Failure(LOG, "pwrite64", "EIO", 300, 300), ""),
        (Failure(DATABASE, "pwrite64", "EIO", 40, 40), ""),
        (Failure(DATABASE, "fdatasync", "EIO", 4, 4), ""),
    ],
    ids=lambda value: f"{value.call}-{value.first}-{value.file}" if isinstance(value, Failure) else value,
)
async def test_a_failed_write_or_sync_ends_the_router_and_loses_nothing(
    tmp_path: Path, failure: Failure, after: str
) -> None:
    """Counted by thread: the first calls of the writer's are at the opening, whose thread makes fewer."""
    log = tmp_path / "strace"
    async with world(tmp_path, failure.prefix(tmp_path / "data", log)) as at:
        assert await at.ended() == 1, at.router.tail()
        assert "journal_failed" in at.router.tail()
        before, since = await asyncio.to_thread(calls_around_failure, log)
        assert since == [], "the file was touched after its failure"
        assert after in ("", before), "this is not the call that was meant to fail"
        assert at.feishu.all_answered, "it failed before anything was answered"
        at.router.prefix = ()
        await asyncio.to_thread(at.router.start)
        await at.more(50)
        await at.drained()
        assert await asyncio.to_thread(at.router.stop) == 0
        at.check()


async def test_writes_that_find_no_space_end_nothing(tmp_path: Path) -> None:
    failure = Failure(LOG, "pwrite64", "ENOSPC", 300, 305)
    async with world(tmp_path, failure.prefix(tmp_path / "data", tmp_path / "strace")) as at:
        await at.refused(1)
        await at.more(100)
        await at.drained()
        assert await asyncio.to_thread(at.router.stop) == 0
        assert at.check() == 0


def settled(folder: Path) -> bool:
    """Whether every lane's cursor on disk has reached the head."""
    with closing(sqlite3.connect(f"file:{folder / 'data' / DATABASE}?mode=ro", uri=True)) as db:
        (lowest,) = db.execute("SELECT min(position) FROM lanes").fetchone()
        (head,) = db.execute("SELECT max(position) FROM events").fetchone()
        return bool(lowest == head)


async def backlog_on_a_full_disk(at: World, disk: SmallDisk, leave: list[int]) -> None:
    """The sink is away, the disk fills up to so many bytes; then the sink comes back."""
    await at.more(100)
    await at.receiver.stop()
    await at.more(100)
    for left in leave:
        await asyncio.to_thread(disk.fill, left)
        await at.refused(20)
    await at.until(lambda: at.router.metric("fer_journal_full_total", holder="iam") > 0)
    assert at.router.metric("fer_lag_events") > 0
    at.feishu.pushing.clear()
    await at.receiver.start()
    await at.drained()
    await at.until(lambda: settled(at.router.folder))


@pytest.mark.parametrize("leave", [[FLOOR // 2, 0], [0]], ids=["slowly", "at once"])
async def test_a_full_disk_refuses_pushes_while_the_sink_goes_on(tmp_path: Path, leave: list[int]) -> None:
    with small_disk(tmp_path / "data", DISK) as disk:
        async with world(tmp_path, []) as at:
            await backlog_on_a_full_disk(at, disk, leave)
            before = len(at.receiver.requests)
            at.router.kill()
            at.router.launch()  # it starts on a full disk, too, but isn't ready there
            await at.drained()
            status, page = at.router.get("/readyz")
            assert (status, "the disk is full" in page) == (503, True)
            assert len(at.receiver.requests) == before, "what was settled on the full disk is delivered again"
            at.feishu.pushing.set()
            await at.refused(5)
            disk.clear()
            await at.more(100)
            await at.drained()
            assert await asyncio.to_thread(at.router.stop) == 0
            at.check()
