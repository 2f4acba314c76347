"""Long work: counted, shown, asked about. Whole commands are in test_dead_letters.py."""

from collections.abc import Mapping
from typing import Any

import click
import pytest

from router.commands import bulk
from router.commands.bulk import Tally, may_ask, progress, work
from router.commands.client import ClientError, Query


def test_a_tally_adds_up() -> None:
    tally = Tally()
    step = {"done": 3, "skipped": [{"id": 7, "reason": "x"}, {"id": 8, "reason": "x"}, {"id": 9, "reason": "y"}]}
    assert tally.add(step) == 6
    assert tally.add({"done": 1, "skipped": [{"id": 10, "reason": "x"}]}) == 2
    assert (tally.done, tally.skipped, tally.example) == (4, {"x": 3, "y": 1}, {"x": 7, "y": 9})


def test_without_a_terminal_nothing_is_asked() -> None:
    may_ask(yes=True)
    with pytest.raises(click.UsageError, match="say --yes"):
        may_ask(yes=False)


def test_without_a_terminal_progress_is_plain_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress(1000, "Deleting") as show:
        show(100)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(bulk, "LINE_SECONDS", 0.0)
    with progress(1000, "Deleting") as show:
        show(100)
        show(150)
    assert capsys.readouterr().err == "Deleting: 100 of 1,000\nDeleting: 250 of 1,000\n"


class Full:
    """A router whose sink takes nothing more after the first slice."""

    def __init__(self) -> None:
        self.asked = 0

    def post(self, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        self.asked += 1
        return {"done": 5 if self.asked == 1 else 0, "skipped": [], "next": "iam:5:5", "wait_seconds": 0.01}

    def get(self, path: str, query: Query = (), *, exact: bool = False) -> dict[str, Any]:
        raise NotImplementedError

    def delete(self, path: str) -> dict[str, Any]:
        raise NotImplementedError


def test_a_sink_that_takes_no_more_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "STALL_SECONDS", 0.05)
    with pytest.raises(ClientError, match="has taken no more") as caught:
        work(Full(), "replay", {}, 10, "Giving back")
    assert "At least 5 of 10 are done" in caught.value.message
