import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.feishu.numbers import deeper_than, has_float, parse_exactly


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
