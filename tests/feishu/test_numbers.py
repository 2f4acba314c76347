import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.feishu.numbers import deeper_than, has_float, load_exactly, parse_exactly


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


JSON = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=3), st.integers(1, 8))
def test_deeper_than(document: dict[str, Any], limit: int) -> None:
    assert deeper_than(document, limit) == (depth(document) > limit)


@given(JSON)
def test_has_float(document: Any) -> None:
    assert not has_float([document])
    assert has_float([document, {"a": [0.5]}])


@pytest.mark.parametrize("number", [0, -1, 2**64 - 1, -(2**63)])
def test_numbers_of_64_bits_stay_numbers(number: int) -> None:
    assert parse_exactly(json.dumps([number]).encode()) == [number]


TEXTS = ["1.10", "1e2", "1E+300", "-0.0", "0", "9007199254740993", "123456789012345678901234567890", "-1", "0.1"]


@pytest.mark.parametrize("text", [*TEXTS, "1" * 18, "-" + "9" * 18, "9" * 19])
def test_a_number_keeps_its_text(text: str) -> None:
    document = b'{"n":%b,"list":[%b]}' % (text.encode(), text.encode())
    assert orjson.dumps(load_exactly(document)) == document


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)  # fmt: skip


@given(ANYTHING)
def test_anything_there_and_back(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    assert json.loads(orjson.dumps(load_exactly(text))) == value


@pytest.mark.parametrize("text", [b"", b"{", b"NaN", b'{"a":Infinity}', b'"\\ud800"', b"[" * 100_000, b"\xff", b"01"])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        load_exactly(text)


def test_a_document_as_deep_as_the_parser_takes_is_parsed_or_refused() -> None:
    for depth in (900, 1000, 1024):
        try:
            assert load_exactly(b"[" * depth + b"]" * depth)
        except ValueError:
            assert depth > 900
