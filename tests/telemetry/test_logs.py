import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.telemetry.logs import make_logger

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(ValueError("x")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(lambda n: n != "event"), ANYTHING))
def test_whatever_is_logged_is_one_line_of_valid_json(fields: dict[str, object]) -> None:
    out = io.StringIO()
    make_logger("info", "json", out).info("what_happened", **fields)
    [line] = out.getvalue().split("\n")[:-1]
    document = json.loads(line)
    assert document["event"] == "what_happened"
    assert document["level"] == "info"
    assert set(fields) <= set(document)


def test_a_line_says_when_in_utc_and_an_error_brings_its_traceback() -> None:
    out = io.StringIO()
    try:
        int("broken")
    except ValueError as error:
        make_logger("info", "json", out).error("crashed", exc_info=error)
    document = json.loads(out.getvalue())
    assert document["timestamp"].endswith("Z")
    assert "ValueError: invalid literal" in document["exception"]


@pytest.mark.parametrize(("level", "lines"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_levels(level: str, lines: int) -> None:
    out = io.StringIO()
    logger = make_logger(level, "json", out)
    for name in ("debug", "info", "warning", "error"):
        getattr(logger, name)("x")
    assert len(out.getvalue().splitlines()) == lines


def test_a_terminal_gets_colours_and_everything_else_json() -> None:
    terminal, pipe, asked = Terminal(), io.StringIO(), io.StringIO()
    for out, format_ in ((terminal, "auto"), (pipe, "auto"), (asked, "console")):
        make_logger("info", format_, out).info("started", port=1)  # type: ignore[arg-type] # the three are literals
    assert "\x1b[" in terminal.getvalue()
    assert json.loads(pipe.getvalue())["port"] == 1
    assert "started" in asked.getvalue()
    assert "\x1b[" not in asked.getvalue()


@pytest.mark.parametrize(("value", "coloured"), [("1", False), ("", True)])
def test_who_wants_no_colours_gets_none(monkeypatch: pytest.MonkeyPatch, value: str, *, coloured: bool) -> None:
    monkeypatch.setenv("NO_COLOR", value)
    terminal = Terminal()
    make_logger("info", "auto", terminal).info("started", port=1)
    assert ("\x1b[" in terminal.getvalue()) is coloured


def test_two_routers_in_one_process_do_not_meet() -> None:
    first, second = io.StringIO(), io.StringIO()
    loud, quiet = make_logger("info", "json", first), make_logger("error", "json", second)
    loud.info("a")
    quiet.info("b")
    assert '"a"' in first.getvalue()
    assert second.getvalue() == ""
