"""The suite for operators catches a journal that forgets what it is told."""

from tests.testing.catching import failures


def test_a_journal_that_forgets_notes_is_caught() -> None:
    test = "test_notes_of_a_lane_survive"
    assert failures([test]) == {"TestForgetsNotes": {test}}
