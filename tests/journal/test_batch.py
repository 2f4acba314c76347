import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.journal.batch import created_key, dedupe_key, lane_change, letter_json, parked_json, storable
from router.journal.contract import DeadLetter, Parked, Settlement
from tests.doubles.envelopes import make_envelope

TEXT = st.text(max_size=4)
PART = st.tuples(TEXT, TEXT, TEXT)


@given(PART, PART)
def test_keys_are_equal_only_for_equal_parts(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    event = make_envelope(1)
    keys = [dedupe_key(event._replace(source=s, type=t, id=i)) for s, t, i in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)
    assert len(keys[0]) == 16


@pytest.mark.parametrize(("created", "key"), [(5, 5), (0, 0), (-1, 0), (1 << 70, 0), ((1 << 62) - 1, (1 << 62) - 1)])
def test_a_creation_time_that_sqlite_cannot_hold_counts_as_none(created: int, key: int) -> None:
    assert created_key(make_envelope(1)._replace(created_ms=created)) == key


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_becomes_storable(text: str) -> None:
    kept = storable(text)
    assert "\0" not in kept
    assert orjson.loads(orjson.dumps(kept)) == kept
    if text.isprintable():
        assert kept == text


def test_what_no_row_can_hold_is_an_error_at_once() -> None:
    with pytest.raises(ValueError, match="can't be stored"):
        parked_json(Parked(1 << 70, "k", ""))


def test_a_letter_is_kept_with_a_body_that_is_not_utf8() -> None:
    row = orjson.loads(letter_json(DeadLetter("ingress", None, "e", "t", None, b"\xff", "r", "d", 0, 0, 0, 0)))
    assert row[5] == "\ufffd"


def park(*positions: int, tries: int = 0) -> list[Parked]:
    return [Parked(n, "k", "", tries=tries) for n in positions]


def test_later_settlements_overrule_earlier_ones() -> None:
    change = lane_change(Settlement(5, [(7, 8)], park(1, 2, 3), [4]))
    change.add(lane_change(Settlement(3, [], park(4, 1, tries=9), [2])))
    assert (change.position, change.settled) == (3, [])
    assert set(change.parked) == {1, 3, 4}
    assert orjson.loads(change.parked[1])[4] == 9
    assert change.unparked == {2}
