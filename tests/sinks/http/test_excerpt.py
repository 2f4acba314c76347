import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.http.excerpt import SHOWN_CHARS, Excerpt, secrets_of
from sinks.http.settings import HttpSettings

ODD = 'p"ä<s&s\\w/rd 1'


@pytest.mark.parametrize("spell", [str, json.dumps, html.escape, quote, lambda text: quote(text).lower()])
def test_a_secret_is_masked_however_it_is_spelled(spell: object) -> None:
    assert callable(spell)
    shown = Excerpt([ODD]).clean(f"before {spell(ODD)} after".encode(), complete=True)
    assert "rd" not in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")


@given(st.binary(max_size=4000), st.booleans())
def test_any_bytes_become_one_short_printable_line(raw: bytes, complete: bool) -> None:
    shown = Excerpt(["some secret"]).clean(raw, complete=complete)
    assert shown.isprintable()
    assert len(shown) <= SHOWN_CHARS + 1


@given(st.text("abc ", max_size=30), st.integers(0, 60))
def test_a_secret_cut_at_the_end_is_not_shown_in_part(before: str, cut: int) -> None:
    secret = "0123456789-ABCDEFGHIJ"
    raw = (before + secret + before).encode()
    shown = Excerpt([secret]).clean(raw[:cut], complete=cut >= len(raw))
    assert not set(shown) & set(secret)


def test_without_secrets_nothing_is_masked() -> None:
    assert Excerpt([]).clean(b"all of it", complete=True) == "all of it"


def test_all_that_is_sent_along_counts_as_secret() -> None:
    settings = HttpSettings.model_validate(
        {
            "type": "http",
            "url": "https://h/services/T0123456789abcdefghij?key=query-value",
            "headers": "X-Key: header-value\nX-Short: ab",
            "basic_username": "user",
            "basic_password": "pass",
            "signing_secrets": "raw signing secret, long enough",
            "proxy": "http://u:proxy-password@p:1",
        }
    )
    assert secrets_of(settings) == {
        "T0123456789abcdefghij",
        "key=query-value",
        "query-value",
        "header-value",
        "pass",
        "dXNlcjpwYXNz",
        "raw signing secret, long enough",
        "proxy-password",
    }
