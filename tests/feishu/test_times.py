from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from router.feishu import times


@given(st.integers(0, 9_999_999_999_999_999))
def test_milliseconds_and_microseconds_are_told_by_their_length(number: int) -> None:
    found = times.created(str(number))
    digits = len(str(number))
    assert (found is not None) == (digits in (13, 16))
    if found is not None:
        seconds = number / 1000 if digits == 13 else number / 1_000_000
        assert abs(datetime.fromisoformat(found[0]).timestamp() - seconds) < 0.001
        assert found[1] == (number if digits == 13 else number // 1000)


@given(st.floats(0, 4_000_000_000))
def test_recorded(now: float) -> None:
    text = times.recorded(now)
    assert text == datetime.fromtimestamp(int(now * 1000) / 1000, UTC).isoformat(timespec="milliseconds")[:23] + "Z"


@given(st.text() | st.integers() | st.none() | st.floats())
def test_anything_else_is_no_time(value: object) -> None:
    assert times.created(value) is None or len(str(value)) in (13, 16)
    times.pushed(value)
