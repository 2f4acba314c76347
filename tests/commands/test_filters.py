"""Conditions, from options to questions."""

from router.commands.filters import members, query, spoken


def test_only_what_is_given_counts() -> None:
    assert members({"sink": ("a", "b"), "type": (), "since": None, "until": "x"}) == {"sink": ["a", "b"], "until": "x"}


def test_a_query_repeats_what_is_several() -> None:
    asked = list(query({"sink": ["a", "b"], "since": "x", "up_to_id": 0}, limit=5, after=None))
    assert asked == [("sink", "a"), ("sink", "b"), ("since", "x"), ("up_to_id", 0), ("limit", 5)]


def test_in_words() -> None:
    assert spoken({"sink": ["a", "b"], "since": "x"}) == "sink a, b; since x"
    assert spoken({}) == ""
