"""Times as operators write and read them: `2h` is two hours ago; else RFC 3339, UTC when it doesn't say."""

import re
from datetime import UTC, datetime, timedelta

from sinks.settings import parse_seconds

EXPECTED = "expected how long ago, such as 30m, 2h or 1d12h, or a time such as 2026-01-31T08:00:00Z"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 253_402_300_799_999
"""The end of the year 9999, the last one that can be written out."""


def moment(text: str, now_ms: int) -> int:
    """What an operator wrote → Unix milliseconds, not before 1970. Raises ValueError with a message for people."""
    text = text.strip()
    if text.lower() == "now":
        return now_ms
    ms = now_ms - int(_seconds(text) * 1000) if re.fullmatch(r"[0-9.smhd]*[smhd]", text.lower()) else _written_out(text)
    return max(0, ms)


def stamp(ms: int) -> str:
    """Unix milliseconds → RFC 3339 in UTC with milliseconds."""
    moment_ = _EPOCH + timedelta(milliseconds=min(ms, _LAST_MS))
    return moment_.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def span(seconds: float) -> str:
    """A duration in its two largest units, for people: `3d 4h`, `1h 5m`, `12s`."""
    left, words = int(max(0.0, seconds)), []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            words.append(f"{count}{unit}")
    return " ".join(words[:2]) or "0s"


def _seconds(text: str) -> float:
    try:
        return float(parse_seconds(text))
    except ValueError:
        raise ValueError(EXPECTED) from None


def _written_out(text: str) -> int:
    try:
        read = datetime.fromisoformat(text)
        if read.tzinfo is None:
            read = read.replace(tzinfo=UTC)
        return (read - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        raise ValueError(EXPECTED) from None
