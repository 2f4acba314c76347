"""Questions → what operations are asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.admin.fields import Fields, of_query
from router.admin.problems import ProblemError
from router.admin.questions import key_text, letter_filter, page, replay_order
from router.journal.contract import LetterFilter, LetterKey
from router.operations.contract import ReplayOrder

NOW = 1_770_000_000_000


def test_every_condition_on_letters() -> None:
    query = "sink=iam&sink=bus&type=a.*&type=!a.b&app=cli_1&subject=d1&reason=http_400&since=2h&until=now&id=3&id=4&up_to_id=0"
    fields = of_query([tuple(pair.split("=")) for pair in query.split("&")])  # type: ignore[misc] # two parts each
    wanted = letter_filter(fields, NOW)
    fields.finish()
    assert wanted == LetterFilter(
        ("iam", "bus"), ("a.*", "!a.b"), ("cli_1",), ("d1",), ("http_400",), NOW - 7_200_000, NOW, (3, 4), 0
    )


def test_no_condition_means_all() -> None:
    assert letter_filter(Fields({}), NOW) == LetterFilter()


@given(st.text(min_size=1).filter(lambda lane: lane.strip() == lane), st.integers(0, 10**17), st.integers(0, 10**17))
def test_a_place_survives_as_text(lane: str, position: int, number: int) -> None:
    key = LetterKey(lane, position, number)
    assert page(Fields({"after": key_text(key)}), LetterFilter(), 10).after == key


@pytest.mark.parametrize("text", ["iam", "iam:1", "iam:x:1", ":1:2", "iam:1:-2", "iam:1:" + "9" * 25, "iam:١:2"])
def test_a_place_that_is_none(text: str) -> None:
    fields = Fields({"after": text})
    page(fields, LetterFilter(), 10)
    with pytest.raises(ProblemError, match="after must be what an answer called next"):
        fields.finish()


@pytest.mark.parametrize(("limit", "good"), [(1, True), (1000, True), (0, False), (1001, False)])
def test_pages_are_bounded(limit: int, good: bool) -> None:
    fields = Fields({"limit": limit})
    assert page(fields, LetterFilter(), 10).limit == (limit if good else 10)
    if not good:
        with pytest.raises(ProblemError, match="limit must be a whole number from 1 to 1,000"):
            fields.finish()


def test_an_order_to_replay() -> None:
    given_ = {"sink": "iam", "since": "3h", "until": "1h", "type": "x.*", "app": ["a"], "tenant": "t", "subject": "s"}
    fields = Fields(given_ | {"rate": 5})
    order = replay_order(fields, NOW)
    fields.finish()
    hour = 3_600_000
    assert order == ReplayOrder("iam", NOW - 3 * hour, NOW - hour, ("x.*",), ("a",), ("t",), ("s",), 5.0)
    fields = Fields({"sink": "iam", "since": "earliest"})
    assert replay_order(fields, NOW) == ReplayOrder("iam")
    fields.finish()


@pytest.mark.parametrize(
    ("given_", "fault"),
    [
        ({}, "sink must be given"),
        ({"sink": "iam"}, "since must be given: how long ago, a time, or earliest"),
        ({"sink": "iam", "since": None}, "since must be given"),
        ({"sink": "iam", "since": "1h", "until": "2h"}, "since must be before until"),
        ({"sink": "iam", "since": "2999-01-01"}, "since must be before until, and not in the future"),
        ({"sink": "iam", "rate": 0}, "rate must be a number above 0"),
        ({"sink": "iam", "rate": "1e400"}, "rate must be a number above 0"),
    ],
)
def test_orders_that_make_no_sense(given_: dict[str, object], fault: str) -> None:
    fields = Fields(given_)
    replay_order(fields, NOW)
    with pytest.raises(ProblemError, match=fault):
        fields.finish()
