"""A few runs of the oracle (`make soak` has as many as one wants), and the oracle itself put to the test."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from tests.broker.cluster import Cluster
from tests.crash.oracle.ends import Archive
from tests.crash.oracle.events import content
from tests.crash.oracle.faults import step
from tests.crash.oracle.plan import draw
from tests.crash.soak import run

SEED = int(os.environ.get("SEED", str(random.randrange(1 << 30))))
RUNS = int(os.environ.get("ORACLE_RUNS", "4"))
CLOCK = Path(__file__).parent / "oracle" / "clock"
SECONDS = float(os.environ.get("SECONDS_EACH", "8"))


@pytest.mark.timeout(900)
def test_every_promise_is_kept_whatever_happens(tmp_path: Path, kafka_three: Cluster) -> None:
    for seed in range(SEED, SEED + RUNS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        outcome = run(seed, SECONDS, kafka_three, folder)
        print(outcome.line)
        assert not outcome.broken, f"SEED={seed} ORACLE_RUNS=1 SECONDS_EACH={SECONDS:g}: {outcome.broken}"


def test_only_the_wall_clock_steps(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_bytes(bytes(8))
    ask = "import time; print(time.time() - {wall}, time.monotonic() - {monotonic})"
    step(clock, -7200)
    done = subprocess.run(
        [sys.executable, "-c", ask.format(wall=time.time(), monotonic=time.monotonic())],
        env={"PYTHONPATH": str(CLOCK), "ORACLE_CLOCK": str(clock)},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    wall, monotonic = map(float, done.stdout.split())
    assert -7200 <= wall < -7100
    assert 0 <= monotonic < 100


def test_it_is_known_when_a_line_came(tmp_path: Path) -> None:
    archive, file, plan = Archive(tmp_path), tmp_path / "a.jsonl", draw(7)
    lines = [orjson.dumps({"data": content(plan.event(serial))}) + b"\n" for serial in (1, 2, 3)]
    times = []
    for serial, line in enumerate(lines, 1):
        with file.open("ab") as out:
            out.write(line)
        archive.look()
        times.append(time.time())
        if serial == 2:  # as a crash tears a line: it is cut, and written again
            os.truncate(file, len(lines[0]))
            archive.look()
            file.write_bytes(lines[0] + line)
            archive.look()
            times[-1] = time.time()
    arrived = archive.arrivals(plan)
    assert [each.serial for each in arrived] == [1, 2, 3]
    assert [each.at is not None and each.at <= at for each, at in zip(arrived, times, strict=True)] == [True] * 3
    assert [each.at for each in arrived] == sorted({each.at for each in arrived if each.at is not None})


def test_a_plan_follows_from_its_seed_alone() -> None:
    assert draw(7) == draw(7)
    assert draw(7) != draw(8)
    assert [draw(7).event(serial) for serial in range(99)] == [draw(7).event(serial) for serial in range(99)]
