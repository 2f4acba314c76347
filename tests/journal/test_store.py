"""What happens when space runs out: the size limit, and a disk that is really full."""

import asyncio
import contextlib
import io
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from router.envelope import Envelope
from router.journal.ballast import ballast_path
from router.journal.batch import lane_change
from router.journal.contract import INGRESS, DeadLetter, JournalFullError, Parked, Settlement, Verdict
from router.journal.limits import MIB, Limits
from router.journal.sqlite import SqliteJournal
from tests.doubles.envelopes import make_envelope
from tests.doubles.waiting import until
from tests.journal.books import SMALL, opened, telemetry

MANY = 1 << 30
KIB_100 = "x" * 100_000


def big(number: int) -> Envelope:
    return make_envelope(number, data=KIB_100)._replace(created_ms=number + 1)


def size_of(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.iterdir())


async def fill(journal: SqliteJournal, first: int = 0) -> int:
    """Append until it is refused; gives the number after the last one stored."""
    for number in range(first, first + 100_000):
        try:
            verdict = await journal.append(big(number))
        except JournalFullError:
            return number
        assert verdict is Verdict.STORED
    raise AssertionError("never full")


async def test_at_the_size_limit_pushes_are_refused_and_the_holder_named(tmp_path: Path) -> None:
    log = io.StringIO()
    async with opened(tmp_path, log=telemetry(log)) as journal:
        await journal.register("bus")
        await journal.register("iam")
        assert journal.full is None
        stored = await fill(journal)
        assert journal.full == "the journal has reached its size limit"
        await journal.settle("bus", Settlement(journal.head))
        with pytest.raises(JournalFullError, match="'iam' holds the space") as caught:
            await journal.append(big(stored))
        assert caught.value.holder == "iam"
        assert f'"problem":"{caught.value}"' in log.getvalue()
        assert journal.meta().bytes <= SMALL.max_bytes
        assert journal.failed is None


async def test_settling_works_at_the_limit_and_makes_room(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.register("bus")
        stored = await fill(journal)
        letters = [
            DeadLetter("bus", n, f"event-{n}", "t", None, b"{}" * 500, "r", "d", 1, 1, 1, 1) for n in range(1, 101)
        ]
        parked = [Parked(n, "k", "", reason="r" * 100) for n in range(101, 111)]
        await journal.settle("bus", Settlement(0, [(1, 110)], parked, [], letters))
        await journal.settle("bus", Settlement(110, []))
        async with asyncio.timeout(10):
            while True:
                try:
                    assert await journal.append(big(stored)) is Verdict.STORED
                    break
                except JournalFullError:
                    await journal.settle("bus", Settlement(110))
        assert len(await journal.read_parked("bus", order_key="k")) == 10


async def test_the_oldest_settled_go_first_even_if_young_so_that_the_file_stays_bounded(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.register("bus")
        for number in range(500):
            await journal.append(big(number))
            _ = journal.settle("bus", Settlement(journal.head))
        meta = journal.meta()
        assert meta.events < 200
        assert meta.bytes <= SMALL.append_bytes
        last = await journal.read(499, 1000, MANY)
        assert [record.position for record in last] == [500]
        assert size_of(tmp_path) < SMALL.max_bytes + 4 * MIB


async def test_quarantine_is_refused_at_the_limit_too(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.register("bus")
        await fill(journal)
        with pytest.raises(JournalFullError):
            await journal.quarantine(DeadLetter(INGRESS, None, "e", "t", None, b"x" * 200_000, "r", "d", 0, 0, 0, 0))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 12 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"these tests mount a small tmpfs, so they need root or CAP_SYS_ADMIN: {done.stderr}"
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill_disk(hog: Path) -> None:
    """Leave not a block."""
    with hog.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def disk_limits(**changes: int) -> Limits:
    return replace(SMALL, max_bytes=64 * MIB, reserve_bytes=8 * MIB, **changes)


async def read_on(journal: SqliteJournal) -> int:
    """How many events there are, read as a lane does: a read may give fewer than there are."""
    position = count = 0
    while records := await journal.read(position, 10_000, MANY):
        position, count = records[-1].position, count + len(records)
    return count


async def test_a_full_disk_refuses_pushes_and_the_journal_lives_on(small_disk: Path) -> None:
    async with opened(small_disk / "data", limits=disk_limits()) as journal:
        await journal.register("bus")
        stored = await fill(journal)
        assert journal.failed is None
        with pytest.raises(JournalFullError, match="disk"):
            await journal.append(big(stored))
        assert journal.full == "the disk is full"
        assert await read_on(journal) == stored == journal.head


async def test_of_a_refused_push_nothing_is_remembered(small_disk: Path) -> None:
    hog = small_disk / "hog"
    async with opened(small_disk / "data", limits=disk_limits()) as journal:
        await journal.append(big(0))
        fill_disk(hog)
        pushes = [journal.append(big(n)) for n in (1, 2, 1)]
        outcomes = await asyncio.gather(*pushes, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {JournalFullError}
        hog.unlink()
        async with asyncio.timeout(10):
            while True:
                try:
                    assert await journal.append(big(1)) is Verdict.STORED
                    break
                except JournalFullError:
                    await asyncio.sleep(0.05)
        assert [r.envelope.id for r in await journal.read(0, 10, MANY)] == ["event-0", "event-1"]


async def test_starts_on_a_full_disk_so_that_lanes_can_drain(small_disk: Path) -> None:
    async with opened(small_disk / "data", limits=disk_limits()) as journal:
        await journal.register("bus")
        stored = await fill(journal)
    fill_disk(small_disk / "hog")
    async with opened(small_disk / "data", limits=disk_limits()) as journal:
        assert journal.head == stored
        assert (await journal.read(stored - 1, 10, MANY))[0].envelope.id == f"event-{stored - 1}"
        with pytest.raises(JournalFullError):
            await journal.append(big(stored))


async def test_lanes_settle_on_a_full_disk_thanks_to_the_ballast(small_disk: Path) -> None:
    data = small_disk / "data"
    async with opened(data, limits=disk_limits(ballast_bytes=2 * MIB)) as journal:
        await journal.register("bus")
        assert ballast_path(data / "journal.db").stat().st_blocks * 512 >= 2 * MIB
        stored = await fill(journal)
        parked = [Parked(n, f"k{n}", "", reason="r" * 1000) for n in range(1, stored + 1)]
        letter = DeadLetter("bus", 1, "event-0", "t", None, b"x" * 500_000, "r", "d", 1, 1, 1, 1)
        await asyncio.wait_for(journal.settle("bus", Settlement(stored, [], parked, [], [letter])), 10)
        assert (await journal.lanes())[0].parked == stored
    async with opened(data, limits=disk_limits()) as journal:
        assert (await journal.lanes())[0].position == stored


async def test_a_settlement_that_finds_no_space_at_all_waits_for_some(small_disk: Path) -> None:
    hog = small_disk / "hog"
    async with opened(small_disk / "data", limits=disk_limits()) as journal:
        await journal.register("bus")
        fill_disk(hog)
        parked = [Parked(n, f"k{n}", "", reason="r" * 1000) for n in range(1, 5000)]
        first = journal.settle("bus", Settlement(1, [], parked))
        await until(lambda: journal._last.unsettled)
        assert not first.done()
        second = journal.settle("bus", Settlement(2, [], [Parked(1, "other", "")]))
        hog.unlink()
        await asyncio.wait_for(asyncio.gather(first, second), 10)
        (lane,) = await journal.lanes()
        assert (lane.position, lane.parked) == (2, 4999)


async def test_appends_stop_while_the_disk_has_little_left(small_disk: Path) -> None:
    async with opened(small_disk / "data", limits=disk_limits(disk_floor_bytes=6 * MIB)) as journal:
        await fill(journal)
        assert shutil.disk_usage(small_disk).free > 1 * MIB


async def test_a_disk_that_is_full_from_the_start_is_told_before_anything_comes(small_disk: Path) -> None:
    log = io.StringIO()
    limits = disk_limits(disk_floor_bytes=1 << 40)
    async with opened(small_disk / "data", limits=limits, log=telemetry(log)) as journal:
        assert journal.full == "the disk is full"
        assert '"event":"journal_full"' in log.getvalue()


async def test_what_a_forgotten_lane_had_said_parks_nothing(tmp_path: Path) -> None:
    """A settlement that found no space is put back, maybe only after its lane was forgotten."""
    async with opened(tmp_path) as journal:
        await journal.append(big(1))
        said = Settlement(
            1, [], [Parked(1, "k", "")], [], [DeadLetter("x", 1, "e", "t", None, b"", "", "", 1, 1, 1, 1)]
        )
        journal._group._batch.settles["x"] = lane_change(said)
        await journal._group.control(lambda _: None)
        parked = await journal._group.control(lambda db: db.execute("SELECT count(*) FROM parked").fetchone()[0])
        assert parked == 0
        assert len(await journal.dead_letters()) == 1
