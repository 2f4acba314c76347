"""Feishu's times as RFC 3339. What is the same for the pushes of one moment is cached."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any


def recorded(now: float) -> str:
    """The router's own reading (Unix seconds), in milliseconds."""
    return _milliseconds(int(now * 1000))


def created(value: Any) -> tuple[str, int] | None:
    """(time, Unix milliseconds) of schema 2.0's `create_time`; None if it is no time.

    Milliseconds have 13 digits, microseconds 16: the pages of one API differ in it.
    """
    digits = str(value) if type(value) is int else value
    if not isinstance(digits, str) or not digits.isascii() or not digits.isdigit():
        return None
    if len(digits) == 13:
        return f"{_seconds(int(digits[:10]))}.{digits[10:]}Z", int(digits)
    if len(digits) == 16:
        return f"{_seconds(int(digits[:10]))}.{digits[10:]}Z", int(digits[:13])
    return None


def pushed(value: Any) -> str | None:
    """Time of schema 1.0's `ts`: seconds as a decimal string such as 1502199207.71; None if it is no time."""
    if not isinstance(value, str) or not value.isascii():
        return None
    seconds, point, fraction = value.partition(".")
    if len(seconds) != 10 or not seconds.isdigit() or (point and not fraction.isdigit()):
        return None
    digits = fraction[:6].ljust(3 if len(fraction) <= 3 else 6, "0")
    return f"{_seconds(int(seconds))}.{digits}Z"


@lru_cache(maxsize=256)
def _milliseconds(unix: int) -> str:
    return f"{_seconds(unix // 1000)}.{unix % 1000:03d}Z"


@lru_cache(maxsize=256)
def _seconds(unix: int) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%S")
