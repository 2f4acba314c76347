import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sinks.members import members

texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(texts, children, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(texts, json_values), st.sampled_from([None, 1, "\t"]))
def test_members_are_found_as_a_parser_finds_them(whole: dict[str, Any], indent: int | None) -> None:
    found = members(json.dumps(whole, indent=indent).encode())
    assert {name: json.loads(raw) for name, raw in found.items()} == whole


@given(st.dictionaries(texts, json_values))
def test_members_keep_their_bytes(whole: dict[str, Any]) -> None:
    raws = {name: json.dumps(value, separators=(" , ", " : ")) for name, value in whole.items()}
    text = "{" + ",".join(f"{json.dumps(name)}:{raw}" for name, raw in raws.items()) + "}"
    assert members(text.encode()) == raws


@given(st.binary() | st.text(st.sampled_from('{}[]":,\\ 01tfn')).map(str.encode))
def test_members_takes_any_bytes(body: bytes) -> None:
    try:
        found = members(body)
    except ValueError:
        return
    assert found == {name: raw for name, raw in found.items() if json.loads(raw) is not Ellipsis}
