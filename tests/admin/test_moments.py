"""Times as operators write them."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.admin.moments import moment, span, stamp

NOW = 1_770_000_000_000
LAST = 253_402_300_799_999
"""The end of the year 9999."""


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("now", NOW),
        ("2h", NOW - 7_200_000),
        (" 1d12h ", NOW - 129_600_000),
        ("500ms", NOW - 500),
        ("1.5M", NOW - 90_000),
        ("999999d", 0),
        ("1970-01-01T00:00:01Z", 1000),
        ("1970-01-01T00:00:01", 1000),
        ("1970-01-01T01:00:01+01:00", 1000),
        ("1970-01-02", 86_400_000),
        ("1960-01-01", 0),
        ("1970-01-01T00:00:00.123Z", 123),
    ],
)
def test_how_long_ago_and_times(text: str, ms: int) -> None:
    assert moment(text, NOW) == ms


@pytest.mark.parametrize(
    "text", ["", "90", "h", "2 h", "2w", "-2h", "tomorrow", "2026-13-01", "1e3s", "0001-01-01T00:00+23:59x"]
)
def test_anything_else_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="expected how long ago"):
        moment(text, NOW)


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    with suppress(ValueError):
        assert moment(text, NOW) >= 0


@given(st.integers(0, LAST))
def test_what_is_shown_can_be_given_back(ms: int) -> None:
    assert moment(stamp(ms), NOW) == ms


@given(st.integers(0, 10**9))
def test_a_span_is_never_longer_than_it_was(seconds: int) -> None:
    shown = span(seconds)
    assert len(shown.split()) <= 2
    assert NOW - moment(shown.replace(" ", ""), NOW) <= seconds * 1000


def test_what_lies_beyond_the_calendar_is_its_end() -> None:
    assert stamp(1 << 62) == stamp(LAST)


def test_a_time_without_a_zone_is_utc_wherever_the_machine_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        assert moment("1970-01-02T00:00:00", NOW) == 86_400_000
    finally:
        monkeypatch.undo()
        time.tzset()


def test_spans() -> None:
    assert [span(s) for s in (0, -1, 59.9, 3600, 90_061)] == ["0s", "0s", "59s", "1h", "1d 1h"]
