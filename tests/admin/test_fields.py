"""Members of a question: taken by name, and every fault of it told at once."""

import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.admin.fields import Fields, of_body, of_query
from router.admin.problems import ProblemError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def faults(fields: Fields) -> list[str]:
    with pytest.raises(ProblemError) as caught:
        fields.finish()
    assert caught.value.status == 422
    return caught.value.errors


def test_what_is_given_is_taken() -> None:
    fields = Fields({"a": ["x ", "y"], "b": "z", "n": 7, "m": "8", "many": [1, "2"], "r": 2.5, "f": True, "t": "1s"})
    assert (fields.words("a"), fields.words("b"), fields.words("none")) == (("x", "y"), ("z",), ())
    assert (fields.integer("n", None), fields.integer("m", None), fields.integer("none", 3)) == (7, 8, 3)
    assert fields.integers("many") == (1, 2)
    assert (fields.number("r", 1.0, 10.0), fields.number("none", 1.0, 10.0)) == (2.5, 1.0)
    assert (fields.flag("f"), fields.flag("none")) == (True, False)
    assert (fields.moment("t", 5000), fields.moment("none", 5000)) == (4000, None)
    fields.finish()


@pytest.mark.parametrize(
    ("value", "how"),
    [
        (0, "integer"),
        (101, "integer"),
        (True, "integer"),
        (1.0, "integer"),
        ("٣", "integer"),
        ("9" * 30, "integer"),
        ([1], "integer"),
        (1 << 64, "integers"),
        ([0], "integers"),
        (["x"], "integers"),
        (0, "number"),
        (11, "number"),
        (math.nan, "number"),
        (True, "number"),
        ({}, "number"),
        ("x", "flag"),
        (7, "words"),
        ("", "words"),
        ([" "], "words"),
        ([["x"]], "words"),
        ([], "words"),
        ("!", "words"),
        (["a.*", "! "], "words"),
        ([], "integers"),
        (["a", "b"], "word"),
        ("yesterday", "moment"),
    ],
)
def test_what_is_wrong_is_named(value: Any, how: str) -> None:
    fields = Fields({"it": value})
    rest: dict[str, tuple[Any, ...]] = {"integer": (None, 1, 100), "number": (1.0, 10.0), "moment": (0,)}
    getattr(fields, how)("it", *rest.get(how, ()))
    (fault,) = faults(fields)
    assert fault.startswith("it ")


def test_all_faults_at_once_inner_ones_too_with_the_nearest_known_name() -> None:
    fields = Fields({"filter": {"snik": "iam"}, "limit": 0, "zzz": 1})
    inner = fields.section("filter")
    inner.words("sink")
    inner.words("type")
    inner.finish()
    fields.integer("limit", 1)
    assert faults(fields) == [
        "filter.snik is not known; did you mean sink?",
        "limit must be a whole number, at least 1",
        "zzz is not known; there are: filter, limit",
    ]


@pytest.mark.parametrize("value", [None, [], "x", 1])
def test_a_section_must_be_there(value: Any) -> None:
    fields = Fields({} if value is None else {"filter": value})
    fields.section("filter").finish()
    assert faults(fields) == ["filter must be an object, {} for no condition"]


def test_repeated_parameters_are_a_list() -> None:
    fields = of_query([("sink", "a"), ("sink", "b"), ("sink", "c"), ("limit", "5"), ("whole", "true")])
    assert fields.words("sink") == ("a", "b", "c")
    assert fields.integer("limit", 1) == 5
    assert fields.flag("whole")
    fields.finish()


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b"[]", 400), (b"3", 400), (b"\xff", 400), (b'"x"', 400)])
def test_bodies_that_are_no_object(body: bytes, status: int) -> None:
    with pytest.raises(ProblemError) as caught:
        of_body(body)
    assert caught.value.status == status


@pytest.mark.parametrize("body", [b"", b" \n", b"{}"])
def test_no_body_is_an_empty_object(body: bytes) -> None:
    of_body(body).finish()


@given(JSON, st.sampled_from(["words", "word", "integer", "integers", "number", "flag", "moment", "section"]))
def test_no_value_breaks_it(value: Any, how: str) -> None:
    fields = Fields({"it": value})
    rest: dict[str, tuple[Any, ...]] = {"integer": (None,), "number": (1.0, 10.0), "moment": (0,)}
    getattr(fields, how)("it", *rest.get(how, ()))
    with suppress(ProblemError):
        fields.finish()


def test_a_null_among_conditions_is_no_missing_one() -> None:
    fields = Fields({"filter": {"sink": None, "since": None, "up_to_id": None, "id": [1]}, "after": None})
    inner = fields.section("filter")
    assert (inner.words("sink"), inner.moment("since", 0), inner.integer("up_to_id", None)) == ((), None, None)
    assert inner.integers("id") == (1,)
    inner.finish()
    assert fields.word("after") is None
    assert [fault.partition(" ")[0] for fault in faults(fields)] == ["filter.sink", "filter.since", "filter.up_to_id"]


def test_where_nothing_can_be_said_nothing_is_suggested() -> None:
    assert faults(Fields({"x": 1})) == ["x is not known; nothing is to be said here"]
