"""The suite for operators catches journals that forget what they are told, or give a number twice."""

from tests.testing.catching import failures

CAUGHT_BY = {
    "TestForgetsNotes": "test_notes_of_a_lane_survive",
    "TestRepeatsNumbers": "test_no_number_is_given_twice",
}


def test_a_journal_that_forgets_or_repeats_is_caught() -> None:
    assert failures(CAUGHT_BY.values()) == {name: {test} for name, test in CAUGHT_BY.items()}
