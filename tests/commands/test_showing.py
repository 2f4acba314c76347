import json

import click
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.commands.showing import forwarded, headline, json_line, whole
from sinks.contract import DELIVERED, Retry, Unavailable
from sinks.testing.events import make_envelope


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_is_put_on_one_line_without_a_change(document: object) -> None:
    for text in (json.dumps(document, indent=1), json.dumps(document, indent=1).replace("\n", "\r\n")):
        line = json_line(text.encode())
        assert not {b"\n", b"\r"} & {bytes([byte]) for byte in line}
        assert json.loads(line) == document
    compact = orjson.dumps({"a": "x y"})
    assert json_line(compact) == compact


def test_an_event_is_shown_with_its_type_subject_and_id() -> None:
    shown = whole(make_envelope(7, data={"big": 1}))
    assert "2026-01-31 23:59:57Z" in shown
    for part in ("corehr.department.updated_v2", "od-1", "event-7", '\n{\n  "big": 1\n}\n'):
        assert part in shown
    assert "  -  " in headline(make_envelope(subject=None))


def test_every_digit_is_shown() -> None:
    digits = b"12345678901234567890123.10"
    shown = whole(make_envelope(data=orjson.Fragment(b'{"n":%b}' % digits)))
    assert digits.decode() in shown


def test_nothing_that_came_can_move_the_cursor() -> None:
    evil = "\x1b[2J\x9b\u202e\r"
    shown = whole(make_envelope(type_=f"t{evil}", subject=f"s{evil}", data={evil: evil}, id=f"i{evil}"))
    shown += forwarded(make_envelope(subject=evil), Retry("r", evil), 1)
    plain = shown.replace("\x1b[1m", "").replace("\x1b[31m", "").replace("\x1b[0m", "")
    assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(plain)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (DELIVERED, "200"),
        (Retry("http_500", "answered 500 with: no"), "answered 500 with: no"),
        (Unavailable("dns"), "dns"),
    ],
)
def test_the_answer_of_a_program_stands_beside_the_event(outcome: Retry | Unavailable, words: str) -> None:
    shown = forwarded(make_envelope(3), outcome, 12.4)
    assert words in shown
    assert "event-3" in shown
    assert shown.endswith("12 ms")


def test_a_remark_stands_beside_the_answer() -> None:
    shown = click.unstyle(forwarded(make_envelope(3), DELIVERED, 12.4, "without a body"))
    assert shown.endswith("  200, without a body  12 ms")
