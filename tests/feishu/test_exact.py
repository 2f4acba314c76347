"""Numbers come out as they went in."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.feishu import exact

TEXTS = ["1.10", "1e2", "1E+300", "-0", "-0.0", "0", "9007199254740993", "123456789012345678901234567890", "-1", "0.1"]


@pytest.mark.parametrize("text", [*TEXTS, "1" * 18, "-" + "9" * 18, "9" * 19])
def test_a_number_keeps_its_text(text: str) -> None:
    document = b'{"n":%b,"list":[%b]}' % (text.encode(), text.encode())
    assert orjson.dumps(exact.loads(document)) == document


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)  # fmt: skip


@given(JSON)
def test_anything_there_and_back(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    assert json.loads(orjson.dumps(exact.loads(text))) == value


@pytest.mark.parametrize("text", [b"", b"{", b"NaN", b'{"a":Infinity}', b'"\\ud800"', b"[" * 100_000, b"\xff", b"01"])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - orjson's own words
        exact.loads(text)


def test_a_document_as_deep_as_the_parser_takes_is_parsed_or_refused() -> None:
    for depth in (900, 1000, 1024):
        try:
            assert exact.loads(b"[" * depth + b"]" * depth)
        except ValueError:
            assert depth > 900
