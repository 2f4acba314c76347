"""What is shown on a terminal does nothing there."""

import unicodedata

import orjson
from hypothesis import given
from hypothesis import strategies as st

from router.commands.tables import age, counted, line, pairs, pretty, safe, table, when

ANY = st.text(alphabet=st.characters(codec=None, exclude_categories=[]))


@given(ANY)
def test_no_text_can_do_anything_to_a_terminal(text: str) -> None:
    for shown in (safe(text), line(text), table(["a"], [[text]]), pairs([("a", text)])):
        shown.encode()
        assert all(unicodedata.category(char) not in ("Cc", "Cs") for char in shown.replace("\n", ""))
        assert not set("\u202e\u2066\u200f\u2028") & set(shown)
    assert "\n" not in line(text)


@given(ANY, st.integers(2, 30))
def test_lines_are_cut(text: str, width: int) -> None:
    assert len(line(text, width)) <= width


@given(
    st.recursive(
        st.none() | st.integers(0, 9) | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_pretty_json_is_still_the_same(document: object) -> None:
    assert orjson.loads(pretty(document)) == document


def test_small_words() -> None:
    assert [counted(count, "event") for count in (0, 1, 1200)] == ["0 events", "1 event", "1,200 events"]
    assert (when(None), when("2026-01-31T08:00:00.123Z"), age(None)) == ("-", "2026-01-31 08:00:00Z", "-")
    assert age("1970-01-01T00:00:00Z").endswith(("d", "h"))
    assert pairs([("a", None), ("b", ""), ("long", 0)]) == "long  0"
