"""The base of every sink's settings, and the value types that settings are written in."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

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


def _start(text: str) -> str:
    if text.lower() in ("now", "earliest"):
        return text.lower()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must be now, earliest, or a time such as 2026-01-31T08:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


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


class BreakerSettings(Section):
    """When so many deliveries fail that the sink counts as unavailable: it is then probed, not pushed."""

    failure_rate: float = Field(
        default=0.9, gt=0, le=1, description="Share of failed deliveries within the window that opens it; 1: only all."
    )
    window_seconds: Seconds = Field(default=60.0, gt=0, description="Deliveries of this time are looked at.")
    min_deliveries: int = Field(default=50, ge=2, description="With fewer in the window it stays closed.")


class SinkSettings(Section):
    """What every sink has. A sink's own settings class derives from it."""

    type: str = Field(description="Which kind of sink: kafka, http, file, stdout, memory or a plug-in's name.")
    events: StrList = Field(
        default=["*"], description="Event types wanted: globs, comma-separated; `!` in front excludes."
    )
    apps: StrList = Field(
        default=["*"], description="Feishu app ids (cli_…) wanted: globs, comma-separated; `!` in front excludes."
    )
    tenants: StrList = Field(
        default=["*"], description="Tenant keys wanted: globs, comma-separated; `!` in front excludes."
    )
    subjects: StrList = Field(
        default=["*"],
        description="Subjects wanted: globs, comma-separated; `!` in front excludes. One without subject matches `*` only.",
    )
    start: Annotated[str, AfterValidator(_start)] = Field(
        default="now",
        description="Where a new sink begins: now, earliest (all that the journal still has), or a time such as "
        "2026-01-31T08:00:00Z. A sink that the journal knows goes on where it was.",
    )
    was: str = Field(
        default="", description="The name that this sink had before: it takes over that one's place and parked events."
    )
    dead_letters: str = Field(
        default="",
        description="Name of another sink that gets a copy of each dead letter, the reason in its attributes. That sink gets "
        "nothing else.",
    )
    rate: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Events per second at most, in bursts of a second; 0: no limit.",
    )
    breaker: BreakerSettings = BreakerSettings()
    ordering: Literal["key", "source", "none"] = Field(
        default="key", description="Order kept: of each subject (key), of each app and tenant (source), or none."
    )
    retry: RetrySettings = RetrySettings()
