"""The base of every sink's settings, and the value types that settings are written in."""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
"""In milliseconds."""
_BYTES = {"": 1, "b": 1}
for _power, _letter in enumerate("kmgt", start=1):
    _BYTES |= {f"{_letter}b": 1000**_power, f"{_letter}ib": 1024**_power, f"{_letter}i": 1024**_power}
_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,15})?"


def parse_seconds(value: Any) -> Any:
    """`90`, `1.5`, `500ms`, `10m`, `7d` or `1h30m` → seconds. Leaves anything but text to pydantic. Raises ValueError."""
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    if re.fullmatch(_NUMBER, text):
        return float(text)
    if not re.fullmatch(rf"({_NUMBER}(ms|[smhd]))+", text):
        raise ValueError("expected a duration such as 90, 1.5s, 500ms, 10m or 7d")
    return float(sum(Decimal(n) * _UNITS[unit] for n, unit in re.findall(rf"({_NUMBER})(ms|[smhd])", text)) / 1000)


def parse_bytes(value: Any) -> Any:
    """`1048576`, `64MiB` (or `64Mi`) or `10GB` → bytes. Leaves anything but text to pydantic. Raises ValueError."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(rf"({_NUMBER})\s*([a-z]*)", value.strip().lower())
    if match is None or match[2] not in _BYTES:
        raise ValueError("expected a size such as 1048576, 64MiB or 10GB")
    size = Decimal(match[1]) * _BYTES[match[2]]
    if size != int(size):
        raise ValueError("expected a whole number of bytes")
    return int(size)


def parse_list(value: Any) -> Any:
    """Comma- or newline-separated text → list of its non-empty parts. Leaves anything but text to pydantic."""
    if not isinstance(value, str):
        return value
    return [part.strip() for part in re.split(r"[,\n]", value) if part.strip()]


def parse_lines(value: Any) -> Any:
    """One value a line → list of the non-empty lines, for secrets that may hold commas."""
    if not isinstance(value, str):
        return value
    return [line.strip() for line in value.splitlines() if line.strip()]


Seconds = Annotated[float, BeforeValidator(parse_seconds), Field(ge=0, allow_inf_nan=False)]
ByteSize = Annotated[int, BeforeValidator(parse_bytes), Field(ge=0)]
StrList = Annotated[list[str], BeforeValidator(parse_list)]


class Section(BaseModel):
    """A group of settings: frozen, nothing unknown allowed, defaults checked, values never echoed in errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True, str_strip_whitespace=True
    )


class RetrySettings(Section):
    """When a failed event is tried again, and when it becomes a dead letter."""

    max_attempts: int = Field(
        default=16, ge=1, description="Failures of one event, counted only while the sink delivers others."
    )
    max_age_seconds: Seconds = Field(default=86400.0, description="Age of the first failure after which it is dead.")
    initial_seconds: Seconds = Field(default=0.5, description="Upper bound of the first delay; doubles each time.")
    max_seconds: Seconds = Field(default=300.0, description="Upper bound of every delay, Retry-After included.")


class SinkSettings(Section):
    """What every sink has. A sink's own settings class derives from it."""

    type: str = Field(description="Which kind of sink: kafka, http, file, stdout, memory or a plug-in's name.")
    events: StrList = Field(
        default=["*"], description="Event types wanted: globs, comma-separated; `!` in front excludes."
    )
    ordering: Literal["key", "source", "none"] = Field(
        default="key", description="Order kept: of each subject (key), of each app and tenant (source), or none."
    )
    retry: RetrySettings = RetrySettings()
