"""The suite catches journals that break the contract, by the test that is meant for it, and lets the one pass that keeps it."""

from tests.testing.catching import failures

CAUGHT_BY = {
    "TestLoses": "test_gives_back_what_it_took_in_order",
    "TestShuffles": "test_gives_back_what_it_took_in_order",
    "TestSettlesNothing": "test_a_cursor_survives_and_the_latest_word_wins",
}


def test_bad_journals_are_caught_and_the_good_one_passes() -> None:
    failed = failures(set(CAUGHT_BY.values()))
    assert {name for name, test in CAUGHT_BY.items() if test in failed[name]} == set(CAUGHT_BY)
    assert "TestGood" not in failed
