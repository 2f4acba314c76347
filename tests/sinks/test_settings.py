from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from sinks.settings import (
    ByteSize,
    RetrySettings,
    Seconds,
    SinkSettings,
    StrList,
    parse_bytes,
    parse_lines,
    parse_list,
    parse_seconds,
)

SECONDS: TypeAdapter[float] = TypeAdapter(Seconds)
BYTES: TypeAdapter[int] = TypeAdapter(ByteSize)
STRINGS: TypeAdapter[list[str]] = TypeAdapter(StrList)
UNITS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1.5", 1.5), ("500ms", 0.5), ("10m", 600), ("7d", 604800), ("1h30m", 5400), (" 2 ", 2), ("1H", 3600)],
)
def test_durations(text: str, seconds: float) -> None:
    assert SECONDS.validate_python(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "-1", "1 m", "m", "1w", "1.s", ".5", "1e3", "inf", "nan", "١", "1m30", "9" * 400, "0x10"]
)
def test_no_durations(text: str) -> None:
    with pytest.raises(ValidationError):
        SECONDS.validate_python(text)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(sorted(UNITS))), min_size=1, max_size=5))
def test_any_sum_of_units_is_a_duration(parts: list[tuple[int, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert SECONDS.validate_python(text) == float(sum(number * UNITS[unit] for number, unit in parts))


@given(st.floats(0, 1e9).map(lambda number: round(number, 6)))
def test_plain_numbers_are_seconds(number: float) -> None:
    assert parse_seconds(f"{number:.6f}") == number
    assert SECONDS.validate_python(number) == number


@pytest.mark.parametrize("value", [float("inf"), float("nan"), -1])
def test_endless_durations_are_refused(value: float) -> None:
    with pytest.raises(ValidationError):
        SECONDS.validate_python(value)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1048576", 1 << 20),
        ("64MiB", 64 << 20),
        ("64Mi", 64 << 20),
        ("64 mib", 64 << 20),
        ("10GB", 10**10),
        ("1.5KiB", 1536),
        ("2TiB", 2 << 40),
        ("7b", 7),
        ("0", 0),
        ("900719925474099", 900719925474099),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert BYTES.validate_python(text) == size


@pytest.mark.parametrize("text", ["", "-1", "MiB", "1M", "1.5", "0.0001KB", "1e3", "٣", "9" * 5000, "1 2"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValidationError):
        BYTES.validate_python(text)


@given(st.integers(0, 10**12), st.sampled_from([("KiB", 1 << 10), ("MB", 10**6), ("Gi", 1 << 30), ("", 1)]))
def test_sizes_are_exact(number: int, unit: tuple[str, int]) -> None:
    assert BYTES.validate_python(f"{number}{unit[0]}") == number * unit[1]


@given(st.text(max_size=30))
def test_any_text_is_a_value_or_a_value_error(text: str) -> None:
    for parse in (parse_seconds, parse_bytes):
        try:
            assert parse(text) >= 0
        except ValueError as error:
            assert "expected" in str(error)  # noqa: PT017 - only where it raises


@given(
    st.lists(st.text("abc*._! ", min_size=1).map(str.strip).filter(bool)), st.sampled_from([",", "\n", " , ", ",\n,"])
)
def test_lists_are_split_at_commas_and_lines(parts: list[str], between: str) -> None:
    assert STRINGS.validate_python(between.join(parts)) == parts
    assert STRINGS.validate_python(parts) == parts


def test_secrets_may_hold_commas() -> None:
    assert parse_lines(" a,b \r\n\n c\n") == ["a,b", "c"]


@pytest.mark.parametrize("parse", [parse_seconds, parse_bytes, parse_list, parse_lines])
@pytest.mark.parametrize("value", [None, 1, 1.5, ["a"], {"a": 1}])
def test_what_is_no_text_is_left_to_pydantic(parse: Any, value: object) -> None:
    assert parse(value) is value


def test_errors_do_not_echo_values() -> None:
    with pytest.raises(ValidationError) as error:
        SinkSettings.model_validate({"type": "x", "ordering": "hunter2", "retry": {"max_attempts": "hunter3"}})
    assert "hunter" not in str(error.value)


def test_unknown_names_and_later_changes_are_refused() -> None:
    with pytest.raises(ValidationError, match="colour"):
        SinkSettings.model_validate({"type": "x", "colour": "red"})
    with pytest.raises(ValidationError, match="frozen"):
        RetrySettings().max_attempts = 3
