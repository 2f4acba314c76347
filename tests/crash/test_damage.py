"""The journal's files damaged between two starts: it is said, or all is there; never a wrong event, a traceback or a hang.

What can't be noticed is tested for what docs/journal.md says of it. DAMAGES=500 tries each kind as often. SEED=… runs the
same again.
"""

import asyncio
import os
import random
import shutil
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from router.journal.contract import (
    INGRESS,
    JournalDamagedError,
    JournalError,
    Parked,
    Settlement,
    Verdict,
)
from router.journal.opening import check_all
from router.journal.sqlite import SqliteJournal
from tests.crash import damage
from tests.crash.damage import Damage
from tests.crash.points_letters import letters_of
from tests.crash.points_story import event, letter, push
from tests.journal.books import SMALL, make_journal, opened

DAMAGES = int(os.environ.get("DAMAGES", "8"))
SEED = int(os.environ.get("SEED", str(random.randrange(1 << 30))))
pytestmark = pytest.mark.timeout(120 + DAMAGES)
LIMITS = replace(SMALL, ballast_bytes=1 << 16)
BURSTS, BURST = 14, 6
EVENTS = BURSTS * BURST
PATIENCE = 30.0
MANY = 1 << 30
DATABASE, LOG, INDEX = "journal.db", "journal.db-wal", "journal.db-shm"

IN_LOG: list[Damage] = [damage.flip, damage.flip_in_header, damage.zero_header, damage.zero_sector]
IN_LOG += [damage.zero_page, damage.garbage_page, damage.swap_pages, damage.append_garbage]
IN_ROWS: dict[Damage, int] = {damage.flip: 1, damage.flip_in_header: 0, damage.zero_sector: 25, damage.swap_pages: 2}
"""How many rows each may spoil without notice."""

Files = dict[str, bytes]


def parked(position: int) -> Parked:
    return Parked(position, "k", "", 1, 2, 3, 4, 5, "why", "detail")


async def written(folder: Path, *, closed: bool) -> Files:
    """A journal's files as a clean end leaves them, or a kill. Each burst is a commit: log and database hold half each."""
    async with opened(folder / "whole", limits=LIMITS) as journal:
        await journal.register("bus", 0)
        for burst in range(BURSTS):
            last = (burst + 1) * BURST
            answers = [journal.append(event(n)) for n in range(last - BURST + 1, last + 1)]
            said = journal.settle("bus", Settlement(last - 1, [], [parked(last - 2)], [], [letter("bus", last - 3)]))
            await asyncio.gather(*answers, journal.quarantine(push(burst)), said)
        files = _files(folder / "whole")
    return _files(folder / "whole") if closed else files


def _files(folder: Path) -> Files:
    return {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.endswith(".lock")}


@dataclass(frozen=True)
class Found:
    """What came of a start. said: that something is wrong; refused: at the start already; lost: bursts missing at the end;
    wrong: all else.
    """

    said: str = ""
    refused: bool = False
    lost: int = 0
    wrong: tuple[str, ...] = ()


async def start(folder: Path, files: Files) -> Found:
    """Start on these files, read everything, push everything again."""
    directory = folder / "damaged"
    directory.mkdir()
    for name, content in files.items():
        (directory / name).write_bytes(content)
    journal = make_journal(directory, limits=LIMITS)
    try:
        async with asyncio.timeout(PATIENCE):
            await journal.open()
            try:
                return await _read(journal)
            finally:
                await journal.close()
    except JournalDamagedError as error:
        with pytest.raises(JournalDamagedError, match="--set-aside-damaged-journal"):  # which looks once more
            check_all(directory / DATABASE)
        return Found(str(error), refused=True)
    except JournalError as error:
        return Found(said=str(error))
    finally:
        shutil.rmtree(directory)


async def _read(journal: SqliteJournal) -> Found:
    bursts = -(-journal.head // BURST)
    wrong = [f"event {n}" for n, body in (await _events(journal)).items() if body != event(n).json]
    letters, pushes = await letters_of(journal, "bus"), await letters_of(journal, INGRESS)
    rows = [row for row, _ in await journal.read_parked("bus", order_key="k", limit=1000)]
    ends = [burst * BURST for burst in range(1, bursts + 1)]
    wrong += _differing("letter", letters, [letter("bus", last - 3) for last in ends])
    wrong += _differing("push", pushes, [push(burst) for burst in range(bursts)])
    wrong += _differing("parked", rows, [parked(last - 2) for last in ends])
    state = (await journal.lanes())[0]
    if (state.name, state.position, state.parked, state.dead) != ("bus", bursts * BURST - 1, bursts, bursts):
        wrong.append(f"lane {state}")
    verdicts = [await answer for answer in [journal.append(event(n)) for n in range(1, journal.head + 1)]]
    wrong += [f"forgot {n}" for n, verdict in enumerate(verdicts, 1) if verdict is not Verdict.DUPLICATE]
    return Found(lost=BURSTS - bursts, wrong=tuple(wrong))


async def _events(journal: SqliteJournal) -> dict[int, bytes]:
    """By position up to the head; b"" where there is none."""
    found, after = dict.fromkeys(range(1, journal.head + 1), b""), 0
    while records := await journal.read(after, 1000, MANY):
        found |= {record.position: record.envelope.json for record in records}
        after = records[-1].position
    return found


def _differing(what: str, found: list, wanted: list) -> list[str]:  # type: ignore[type-arg]
    missing = [f"{what} {at} is missing" for at, one in enumerate(wanted) if one not in found]
    return missing or [f"{what}: {len(found)}"] * (len(found) != len(wanted))


async def tries(folder: Path, whole: Files, name: str, kind: Damage) -> list[Found]:
    print(f"SEED={SEED} DAMAGES={DAMAGES}")
    rng = random.Random(f"{SEED} {name} {kind.__name__}")
    found = [await start(folder, whole | {name: kind(whole[name], rng)}) for _ in range(DAMAGES)]
    print(f"{name} {kind.__name__}:", dict(Counter(_summary(one) for one in found)))
    return found


def _summary(found: Found) -> str:
    if found.said:
        return "refused" if found.refused else "said later"
    return f"{found.lost} lost, {len(found.wrong)} wrong" if found.lost or found.wrong else "unharmed"


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "killed"])
async def test_undamaged_nothing_is_wrong(tmp_path: Path, closed: bool) -> None:
    whole = await written(tmp_path, closed=closed)
    assert (LOG in whole) is not closed
    assert await start(tmp_path, whole) == Found()


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "killed"])
@pytest.mark.parametrize("kind", [damage.cut, damage.zero_header, damage.garbage_page, damage.append_garbage])
async def test_a_broken_database_is_noticed(tmp_path: Path, kind: Damage, closed: bool) -> None:
    for found in await tries(tmp_path, await written(tmp_path, closed=closed), DATABASE, kind):
        assert found.refused or (found.said and not closed) or found == Found(), found


@pytest.mark.parametrize("kind", IN_LOG)
async def test_a_broken_log_is_noticed_but_in_its_last_two_commits(tmp_path: Path, kind: Damage) -> None:
    """There it looks like what a power cut leaves of a commit that wasn't synced."""
    for found in await tries(tmp_path, await written(tmp_path, closed=False), LOG, kind):
        assert found.said or (found.lost <= 2 and not found.wrong), found


@pytest.mark.parametrize("kind", [damage.cut, damage.empty])
async def test_a_log_that_is_cut_leaves_an_earlier_state_and_a_whole_one(tmp_path: Path, kind: Damage) -> None:
    """Nothing tells that there was more. What is left must be a state that the journal was in."""
    for found in await tries(tmp_path, await written(tmp_path, closed=False), LOG, kind):
        assert not found.said
        assert not found.wrong


@pytest.mark.parametrize("kind", [damage.cut, damage.flip, damage.garbage_page, damage.append_garbage])
async def test_a_broken_index_harms_nothing(tmp_path: Path, kind: Damage) -> None:
    for found in await tries(tmp_path, await written(tmp_path, closed=False), INDEX, kind):
        assert found == Found()


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "killed"])
async def test_a_lost_database_is_noticed(tmp_path: Path, closed: bool) -> None:
    whole = await written(tmp_path, closed=closed)
    for left in ({}, {DATABASE: b""}):
        found = await start(tmp_path, {name: whole[name] for name in whole if name != DATABASE} | left)
        assert "it is empty" in found.said
    assert closed or "it is empty" in (await start(tmp_path, {LOG: whole[LOG]})).said


@pytest.mark.parametrize("kind", IN_ROWS)
async def test_damage_within_a_row_stays_there(tmp_path: Path, kind: Damage) -> None:
    """SQLite keeps no checksums of the database: a row's text may be wrong and nobody notices. No other row is."""
    for found in await tries(tmp_path, await written(tmp_path, closed=True), DATABASE, kind):
        assert found.said or (found.lost == 0 and len(found.wrong) <= IN_ROWS[kind]), found
