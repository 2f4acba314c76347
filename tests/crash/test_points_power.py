"""The power goes: of what wasn't synced any part may be gone or torn. What was called durable is there all the same.

Every write and sync of a real run is recorded, then played onto a model of a disk and cut off somewhere: CUTS=10000 cuts of
it at as many places. SEED=… runs the same again.
"""

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash import points_trace
from tests.crash.points_check import Heard, check
from tests.crash.points_power import Disk
from tests.crash.points_runs import PATIENCE, ROOT, Part, strace
from tests.crash.points_story import draw
from tests.crash.points_trace import Done, Said, Synced, Written

CUTS = int(os.environ.get("CUTS", "200"))
SEED = int(os.environ.get("SEED", str(random.randrange(1 << 30))))
pytestmark = pytest.mark.timeout(120 + CUTS)
BURSTS = 50
RECOVERIES = 4

Files = dict[str, bytes]


@dataclass(frozen=True)
class Recording:
    """What a run did to a directory that held `before` at first, and `after` at the end."""

    part: Part
    before: Files
    done: list[Done]
    after: Files


def record(part: Part, folder: Path, before: Files) -> Recording:
    directory, log = folder / "recorded", folder / "log"
    put(directory, before)
    command = [*points_trace.command(strace(), log), *part.command(directory)]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, timeout=PATIENCE, check=True)
    with log.open() as lines:
        done = list(points_trace.read(lines, directory))
    assert done, "strace saw nothing: it may not trace here (ptrace forbidden?)"
    found = {file.name: file.read_bytes() for file in directory.iterdir() if not file.name.endswith((".lock", "-shm"))}
    shutil.rmtree(directory)
    log.unlink()
    return Recording(part, before, done, found)


def put(directory: Path, files: Files) -> None:
    directory.mkdir()
    for name, content in files.items():
        (directory / name).write_bytes(content)


def cuts(recording: Recording, number: int, rng: random.Random) -> Iterator[tuple[int, Files, list[str], bool]]:
    """(place, what is found there afterwards, what was said before, whether something was lost) of that many cuts."""
    disk, said = Disk(recording.before), list[str]()
    places = sorted(rng.choices(range(len(recording.done) + 1), k=number))
    fed = 0
    for place in places:
        for done in recording.done[fed:place]:
            disk.feed(done)
            if isinstance(done, Said):
                said.append(done.line)
        fed = place
        killed = disk.after_kill()
        left = killed if rng.random() < 0.1 else disk.after_cut(rng)
        yield place, left, said, left != killed


async def check_cuts(folder: Path, recording: Recording, number: int, said_before: list[str]) -> int:
    """Returns in how many cuts something was lost."""
    part, lost = recording.part, 0
    story = draw(part.seed, part.last)
    for place, files, said, less in cuts(recording, number, random.Random(f"{SEED} {part}")):
        directory = folder / "cut"
        put(directory, files)
        if place % 2:
            (directory / "journal.db-shm").write_bytes(random.Random(place).randbytes(32768))  # never synced by anyone
        try:
            await check(directory, story, Heard.of([*said_before, *said]))
        except Exception as error:
            raise AssertionError(f"SEED={SEED}: cut before call {place} of {part}, see {directory}") from error
        shutil.rmtree(directory)
        lost += less
    return lost


def seed_of_story() -> int:
    return random.Random(SEED).randrange(1 << 30)


def test_the_record_of_what_a_run_did_is_whole(tmp_path: Path) -> None:
    """Else the cuts would be of another disk: played to its end it gives the very files that the run has left."""
    recording = record(Part(seed_of_story(), 0, BURSTS), tmp_path, {})
    disk = Disk()
    for done in recording.done:
        disk.feed(done)
    assert disk.after_kill() == recording.after
    names = {(type(done), done.name) for done in recording.done if isinstance(done, Written | Synced)}
    assert {(Written, "journal.db"), (Written, "journal.db-wal"), (Synced, "journal.db"), (Synced, "")} <= names


async def test_what_was_durable_survives_a_power_cut(tmp_path: Path) -> None:
    print(f"SEED={SEED} CUTS={CUTS}")
    recording = record(Part(seed_of_story(), 0, BURSTS), tmp_path, {})
    lost = await check_cuts(tmp_path, recording, CUTS, [])
    print(f"{CUTS} cuts among {len(recording.done)} calls, {lost} of them lost something")
    assert lost > CUTS // 4


async def test_what_was_durable_survives_a_power_cut_during_recovery(tmp_path: Path) -> None:
    print(f"SEED={SEED} CUTS={CUTS}")
    first = record(Part(seed_of_story(), 0, BURSTS), tmp_path, {})
    opening = Part(first.part.seed, BURSTS, BURSTS)
    lost = 0
    for _, files, said, _ in cuts(first, RECOVERIES, random.Random(SEED)):
        second = record(opening, tmp_path, files)
        lost += await check_cuts(tmp_path, second, CUTS // 2 // RECOVERIES, list(said))
    print(f"{CUTS // 2} cuts in {RECOVERIES} recoveries, {lost} of them lost something")
    assert lost > 0
