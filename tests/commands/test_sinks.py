"""`sinks` against a real admin port."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.routers import Running, running
from tests.doubles.operators import BORN_MS, MemoryOperators, row


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Running]:
    rows = {
        "iam": row(
            "iam", state="unavailable", breaker="open", reason="refused\x1b[2J", lag_events=12345, lag_seconds=3700.0
        ),
        "bus": row("bus", parked=2, dead_letters=3),
        "old": row("old", state="absent", absent_ms=BORN_MS, lag_events=7, parked=1),
    }
    with running(MemoryOperators(rows), tmp_path) as router:
        yield router


def test_list(router: Running) -> None:
    result = router.call("sinks", "list")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[2].split() == [
        "iam",
        "http",
        "unavailable",
        "open",
        "12,345",
        "1h",
        "1m",
        "0",
        "0",
        "refused\\u001b[2J",
    ]
    assert "not in the settings since" in lines[4]
    told = json.loads(router.call("sinks", "list", "--json").stdout)
    assert [sink["name"] for sink in told["sinks"]] == ["iam", "bus", "old"]
    router.operators.rows.clear()
    assert router.call("sinks", "list").stdout == "There are no sinks.\n"


def test_pause_and_resume(router: Running) -> None:
    result = router.call("sinks", "pause", "bus", "iam")
    assert result.stdout.splitlines()[0] == "bus is paused. `sinks resume bus` lets it go on."
    assert {router.operators.rows[name].state for name in ("bus", "iam")} == {"paused"}
    assert router.call("sinks", "resume", "bus").stdout == "bus goes on.\n"
    assert router.actions == ["pause sink bus", "pause sink iam", "resume sink bus"]
    wrong = router.call("sinks", "pause", "x/../iam")
    assert wrong.exit_code == 1
    assert "there is no sink" in wrong.stderr


def test_forget_only_what_is_absent_and_only_when_sure(router: Running) -> None:
    assert router.call("sinks", "forget", "old").exit_code == 2
    refused = router.call("sinks", "forget", "old", "iam", "--yes")
    assert refused.exit_code == 1
    assert "take it out of FER_SINKS" in refused.stderr
    assert (
        router.call("sinks", "forget", "zzz", "--yes").stderr
        == "Error: there is no sink zzz; there are: iam, bus, old\n"
    )
    assert router.actions == []
    done = router.call("sinks", "forget", "old", "--yes")
    assert (done.exit_code, done.stdout) == (0, "old is forgotten.\n")
    assert "old had not got 7 events; 1 are parked." in done.stderr
    assert router.actions == ["forget sink old"]
