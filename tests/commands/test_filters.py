"""Conditions, from options to questions."""

import click
import pytest

from router.commands.filters import members, query, spoken, type_globs, words


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


@pytest.mark.parametrize("pattern", ["[", "!corehr.[ab", "a]", "[]", "corehr.*,im.*", "corehr.* im.*", "{a}", "!!a"])
def test_what_no_type_can_match_is_a_mistake(pattern: str) -> None:
    with pytest.raises(click.BadParameter, match="can match no event type"):
        type_globs(click.Context(click.Command("x")), click.Option(["--type"]), ("corehr.*", pattern))


@pytest.mark.parametrize(
    "pattern", ["*", "corehr.*", "! *.employee.*", "im.message.receive_v[12]", "[!a-c]?", "x-y.V4"]
)
def test_globs_of_types(pattern: str) -> None:
    assert type_globs(click.Context(click.Command("x")), click.Option(["--type"]), (pattern,)) == (pattern,)
