"""`replay` against a real admin port."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.operations.contract import ReplayOrder
from tests.commands.routers import Running, running
from tests.commands.terminals import Terminal
from tests.doubles.operators import BORN_MS, MemoryOperators, row


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Running]:
    stored = [BORN_MS + n * 1000 for n in range(5)]
    with running(MemoryOperators({"iam": row("iam")}, stored=stored), tmp_path) as router:
        yield router


def test_a_dry_run_counts_and_changes_nothing(router: Running) -> None:
    result = router.call("replay", "--sink", "iam", "--since", "2h", "--rate", "0.5", "--dry-run")
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "5 events, stored from 2026-02-02 02:40:00Z to 2026-02-02 02:40:04Z, would be sent to iam again. "
        "At 0.5 a second that takes about 10s.\n"
    )
    told = json.loads(router.call("replay", "--sink", "iam", "--since", "2h", "--dry-run", "--json").stdout)
    assert told == {"events": 5, "first": "2026-02-02T02:40:00.000Z", "last": "2026-02-02T02:40:04.000Z"}
    assert router.operators.running == {}
    assert router.actions == []


def test_what_was_ordered_is_begun(router: Running) -> None:
    until = "1970-01-01T00:00:09Z"
    args = ["--since", "1970-01-01T00:00:01Z", "--until", until, "--type", "a.*", "--type", "!a.b", "--app", "c"]
    result = router.call("replay", "--sink", "iam", *args, "--tenant", "t", "--subject", "s", "--rate", "7", "--yes")
    assert result.exit_code == 0, result.output
    assert "Replay 1 has begun." in result.stdout
    order = ReplayOrder("iam", 1000, 9000, ("a.*", "!a.b"), ("c",), ("t",), ("s",), 7.0)
    assert router.operators.asked == [("replay", order)]


def test_what_is_counted_is_what_is_sent(router: Running) -> None:
    with Terminal(router.environ, "replay", "--sink", "iam", "--since", "earliest") as terminal:
        terminal.wait_for("Send them again? [y/N]")
        assert "5 events" in terminal.seen
        terminal.type("y\n")
        assert terminal.end() == 0
    *counts, begun = [call[1] for call in router.operators.asked]
    assert {*counts} == {begun}
    assert begun.since_ms is None
    assert begun.until_ms is not None


def test_nothing_to_send_is_not_begun(router: Running) -> None:
    router.operators.stored.clear()
    with Terminal(router.environ, "replay", "--sink", "iam", "--since", "2h") as terminal:
        assert terminal.end() == 0
        assert "No stored event matches" in terminal.seen
    assert router.operators.running == {}


@pytest.mark.parametrize(
    "args",
    [
        ["--since", "2h"],
        ["--sink", "iam"],
        ["--sink", "iam", "--since", "2h"],
        ["--sink", "", "--since", "2h", "--yes"],
        ["--sink", "iam", "--since", "soon", "--yes"],
        ["--sink", "iam", "--since", "2h", "--rate", "0", "--yes"],
        ["--sink", "iam", "--since", "2h", "--type", "", "--yes"],
    ],
)
def test_wrong_usage(router: Running, args: list[str]) -> None:
    assert router.call("replay", *args).exit_code == 2
    assert router.operators.asked == []


def test_an_unknown_sink(router: Running) -> None:
    result = router.call("replay", "--sink", "iamm", "--since", "2h", "--yes")
    assert (result.exit_code, result.stderr) == (1, "Error: there is no sink iamm; there are: iam\n")
