"""The journal's process is killed at a system call, or at any instant; what it had called durable is there afterwards.

POINTS=60 kills at as many calls drawn at random, POINTS=all at each in turn. KILLS=1000 kills at random instants.
SEED=… runs the same again.
"""

import asyncio
import os
import random
import shutil
from pathlib import Path

import pytest

from tests.crash.points_check import Heard, check
from tests.crash.points_runs import KINDS, Ended, Part, calls, run, run_killed_after, run_killed_at
from tests.crash.points_story import draw

pytestmark = pytest.mark.timeout(0 if os.environ.get("POINTS") == "all" else 7200)
POINTS = os.environ.get("POINTS", "16")
KILLS = int(os.environ.get("JOURNAL_KILLS", os.environ.get("KILLS", "20")))
SEED = int(os.environ.get("SEED", str(random.randrange(1 << 30))))
BURSTS = 24
AT_ONCE = 2


Point = tuple[str, int]


async def kill_and_check(folder: Path, base: Path | None, part: Part, heard: list[str], at: Point) -> bool:
    """Kill one run, every other time the next start too, and check. Says whether the first kill struck."""
    kind, number = at
    directory = folder / f"{kind}-{number}"
    if base is not None:
        shutil.copytree(base, directory)
    ended = await asyncio.to_thread(run_killed_at, part, directory, kind, number)
    if number % 2:
        nothing = Part(part.seed, part.last, part.last)
        await asyncio.to_thread(run_killed_at, nothing, directory, kind, 1 + number % 20)
    try:
        await check(directory, draw(part.seed, part.last), Heard.of([*heard, *ended.lines]))
    except Exception as error:
        raise AssertionError(f"SEED={SEED}: killed at {kind} number {number} of {part}, see {directory}") from error
    shutil.rmtree(directory)
    return ended.killed


@pytest.mark.parametrize("begins", ["anew", "again"])
async def test_killed_at_a_system_call(tmp_path: Path, begins: str) -> None:
    print(f"SEED={SEED} POINTS={POINTS}")
    rng = random.Random(f"{SEED} {begins}")
    seed, base, heard = rng.randrange(1 << 30), None, list[str]()
    part = Part(seed, 0, BURSTS)
    if begins == "again":
        base, part = tmp_path / "base", Part(seed, BURSTS, 2 * BURSTS)
        heard = run(Part(seed, 0, BURSTS), base).lines
        shutil.copytree(base, tmp_path / "counted")
    most = await asyncio.to_thread(calls, part, tmp_path / "counted")
    assert {"pwrite64", "fdatasync", "fsync", "ftruncate", "unlink"} <= set(most) <= set(KINDS)
    points = [(kind, number) for kind in sorted(most) for number in range(1, most[kind] + 1)]
    if POINTS != "all":
        weights = [1 / most[kind] for kind, _ in points]  # as many of a rare call as of a frequent one
        points = list(dict.fromkeys(rng.choices(points, weights, k=int(POINTS) // 2)))
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(point: Point) -> bool:
        async with slots:
            return await kill_and_check(tmp_path, base, part, heard, point)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(point)) for point in points]
    struck = [task.result() for task in tasks]
    print(f"{begins}: killed at {sum(struck)} of {len(points)} calls; there are {most}")
    assert sum(struck) > len(points) // 2


async def test_killed_at_any_instant(tmp_path: Path) -> None:
    print(f"SEED={SEED} KILLS={KILLS}")
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> Ended:
        rng = random.Random(f"{SEED} {number}")
        part, directory = Part(rng.randrange(1 << 30), 0, 3 * BURSTS), tmp_path / f"killed-{number}"
        async with slots:
            ended = await run_killed_after(part, directory, rng.choice((0, 1, rng.randint(1, 500))), rng.random() / 50)
            await check(directory, draw(part.seed, part.last), Heard.of(ended.lines))
        shutil.rmtree(directory)
        return ended

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number)) for number in range(KILLS)]
    killed = [task.result() for task in tasks if task.result().killed]
    print(f"{len(killed)} of {KILLS} killed, after {sum(len(one.lines) for one in killed)} lines")
    assert len(killed) > KILLS // 2
