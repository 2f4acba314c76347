"""The suite catches sinks that break the contract, by the test that is meant for it, and lets the one pass that keeps it."""

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BAD_SINKS = Path(__file__).with_name("bad_sinks.py")
CAUGHT_BY = {
    "TestLoses": "test_the_order_of_each_subject_is_kept",
    "TestBreaksOrder": "test_the_order_of_each_subject_is_kept",
    "TestLetsFollowersPass": "test_none_of_its_subject_passes_it_in_its_batch",
    "TestDeliversTooEarly": "test_what_is_delivered_can_be_read_at_once",
    "TestClosesOnce": "test_opens_and_closes_more_than_once",
    "TestRaisesWhenClosed": "test_delivering_while_closed_is_unavailable",
    "TestCountsWrongly": "test_gives_an_outcome_for_each_event_also_for_none",
    "TestChangesData": "test_data_arrives_unharmed",
    "TestRejectsTheOthers": "test_only_the_poisoned_event_is_rejected",
    "TestTellsSecrets": "test_shows_no_secret",
    "TestForgets": "test_a_cancelled_delivery_leaves_it_usable",
    "TestHasRestlessScopes": "test_a_scope_is_pure_and_the_same_for_equal_events",
}


def suite(config: str = "") -> str:
    """What pytest says of the bad sinks, in a process of its own."""
    options = [
        "-q",
        "-rf",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-c",
        config or os.devnull,
        "--rootdir",
        str(ROOT),
    ]
    command = [sys.executable, "-m", "pytest", *options, "--import-mode=importlib", str(BAD_SINKS)]
    environment = {**os.environ, "PYTEST_ADDOPTS": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def said() -> str:
    return suite()


@pytest.fixture(scope="module")
def failed(said: str) -> dict[str, set[str]]:
    """Class → names of the tests that failed."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, test in re.findall(r"^FAILED \S+::(\w+)::(\w+)", said, re.MULTILINE):
        found[name].add(test)
    return found


@pytest.mark.parametrize("name", sorted(CAUGHT_BY))
def test_a_bad_sink_is_caught(failed: dict[str, set[str]], name: str) -> None:
    assert CAUGHT_BY[name] in failed[name], f"{name} failed only in {failed[name]}"


def test_a_good_sink_passes_and_there_are_no_others(failed: dict[str, set[str]]) -> None:
    assert set(failed) == set(CAUGHT_BY)


def test_a_failure_tells_what_was_seen(said: str) -> None:
    """Pytest shows both sides of an assertion only where it has rewritten the module: the plug-in sees to that."""
    assert re.search(
        r"^E +assert \{'event-0', .*\} == \{'event-0'|^E +Extra items in the right set", said, re.MULTILINE
    )
    assert "skipped" not in said


def test_a_running_router_loads_nothing_of_it() -> None:
    code = (
        "import sys, router.app, router.cli, router.commands.run; from sinks.registry import BUILT_IN, find\n"
        "for name in BUILT_IN: find(name)\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
    )
    loaded = set(done.stdout.split())
    assert "router.app" in loaded
    assert not {"pytest", "_pytest", "sinks.testing", "router.testing"} & loaded
