"""JSON as nobody writes it, though everybody must read it: odd spaces, escapes, digits, twice the same name."""

from hypothesis import strategies as st

SPACES = st.text("  \t\r\n", max_size=3)
ODD_CHARACTERS = 'a"\\/\b\x00\x1f\x7f\x80\u00ad\u2028\ufeff\uffff\U000e0001\U0010ffff飞'
STRINGS = st.one_of(
    st.text(max_size=12),
    st.text(ODD_CHARACTERS, max_size=12),
    st.sampled_from(["2.0", "event_callback", "corehr.department.updated_v2", "card.action.trigger", "1608725989000"]),
)
NUMBERS = st.sampled_from(
    [
        "0", "-0", "-0.0", "0.1", "1E5", "1e+05", "1e-400", "0.1000000000000000055", "9007199254740993",
        "123456789012345678901234567890", "-9223372036854775808", "18446744073709551615", "18446744073709551616",
        "1e308", "1" + "0" * 300, "0." + "3" * 500, "-1.50",
    ]
)  # fmt: skip
BROKEN = st.sampled_from(
    ["", "01", "1.", "+1", "NaN", "Infinity", "1e999", "'a'", '"\\ud800"', '"\\x"', '"a', "{", "[1,", "tru", "\x00"]
)


@st.composite
def quoted(draw: st.DrawFn, texts: st.SearchStrategy[str] = STRINGS) -> str:
    """A string, some of its characters escaped for no reason."""
    pieces = []
    for char in draw(texts):
        units = char.encode("utf-16-be").hex()
        must = char in '"\\' or char < " "
        if must or draw(st.integers(0, 9)) == 0:
            pieces += [f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)]
        else:
            pieces.append(char)
    return f'"{"".join(pieces)}"'


@st.composite
def spaced(draw: st.DrawFn, text: st.SearchStrategy[str]) -> str:
    """The text with white space around it."""
    return draw(SPACES) + draw(text) + draw(SPACES)


def listed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """An array."""
    return st.lists(spaced(inner), max_size=4).map(lambda parts: f"[{','.join(parts)}]")


def members(
    inner: st.SearchStrategy[str], names: st.SearchStrategy[str] = STRINGS, least: int = 0
) -> st.SearchStrategy[str]:
    """An object, names may come twice."""
    member = st.tuples(spaced(quoted(names)), spaced(inner)).map(":".join)
    return st.lists(member, min_size=least, max_size=6).map(lambda parts: f"{{{','.join(parts)}}}")


LITERALS = st.sampled_from(["null", "true", "false"]) | NUMBERS | quoted()
VALID = st.recursive(LITERALS, lambda inner: listed(inner) | members(inner), max_leaves=12)
ANY = st.one_of(VALID, VALID, VALID, BROKEN)
