from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.http.values import StatusRange, check_url, parse_header, parse_key, parse_status, shown_url, split_headers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("404", (404, 404)),
        ("5xx", (500, 599)),
        ("5XX", (500, 599)),
        ("500-599", (500, 599)),
        ("500 - 502", (500, 502)),
        ("999", (999, 999)),
    ],
)
def test_statuses_are_read(text: str, expected: tuple[int, int]) -> None:
    assert parse_status(text) == StatusRange(*expected)


@pytest.mark.parametrize("text", ["", "40", "4040", "xx", "0xx", "4x4", "502-500", "٤٠٤", "404\n", "4xx-5xx", "-404"])
def test_what_is_no_status_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a status"):
        parse_status(text)


@given(st.text())
def test_any_text_is_read_or_refused_with_a_value_error(text: str) -> None:
    for parse in (parse_status, parse_key, parse_header, lambda value: check_url(value, credentials=True)):
        with suppress(ValueError):
            parse(text)
    split_headers(text)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pw@h.example:8443/a/b?x=1#f", "https://h.example:8443/a/b?…"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("https://h/open-apis/bot/v2/hook/0f1e2d3c-aaaa-bbbb-cccc-000000000000", "https://h/open-apis/bot/v2/hook/…"),
        ("https://h/hooks/corehr-department-updates", "https://h/hooks/corehr-department-updates"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_list_values_pass_as_they_are() -> None:
    assert split_headers(["X: 1, Y: 2"]) == ["X: 1, Y: 2"]
