"""Conditions, from options to questions."""

import click
import pytest

from router.commands.filters import members, query, spoken, words


def test_only_what_is_given_counts() -> None:
    assert members({"sink": ("a", "b"), "type": (), "since": None, "until": "x"}) == {"sink": ["a", "b"], "until": "x"}


def test_a_query_repeats_what_is_several() -> None:
    asked = list(query({"sink": ["a", "b"], "since": "x", "up_to_id": 0}, limit=5, after=None))
    assert asked == [("sink", "a"), ("sink", "b"), ("since", "x"), ("up_to_id", 0), ("limit", 5)]


def test_in_words() -> None:
    assert spoken({"sink": ["a", "b"], "since": "x"}) == "sink a, b; since x"
    assert spoken({}) == ""


@pytest.mark.parametrize("value", ["", " ", "!", "! ", ("iam", ""), ("a.*", "!")])
def test_what_a_shell_left_empty_is_no_condition(value: object) -> None:
    with pytest.raises(click.BadParameter, match="is empty"):
        words(click.Context(click.Command("x")), click.Option(["--sink"]), value)
