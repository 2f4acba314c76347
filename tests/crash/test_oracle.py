"""A few runs of the oracle (`make soak` has as many as one wants), and the oracle itself put to the test."""

import os
import random
from pathlib import Path

import pytest

from tests.broker.cluster import Cluster
from tests.crash.oracle.plan import draw
from tests.crash.soak import run

SEED = int(os.environ.get("SEED", str(random.randrange(1 << 30))))
RUNS = int(os.environ.get("ORACLE_RUNS", "4"))
SECONDS = float(os.environ.get("SECONDS_EACH", "8"))


@pytest.mark.timeout(900)
def test_every_promise_is_kept_whatever_happens(tmp_path: Path, kafka_three: Cluster) -> None:
    for seed in range(SEED, SEED + RUNS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        outcome = run(seed, SECONDS, kafka_three, folder)
        print(outcome.line)
        assert not outcome.broken, f"SEED={seed} ORACLE_RUNS=1 SECONDS_EACH={SECONDS:g}: {outcome.broken}"


def test_a_plan_follows_from_its_seed_alone() -> None:
    assert draw(7) == draw(7)
    assert draw(7) != draw(8)
    assert [draw(7).event(serial) for serial in range(99)] == [draw(7).event(serial) for serial in range(99)]
