"""Long work: counted, shown, asked about. Whole commands are in test_dead_letters.py."""

import click
import pytest

from router.commands import bulk
from router.commands.bulk import Tally, may_ask, progress


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
