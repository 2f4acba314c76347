"""What the receiver answered, or why it couldn't → outcome. Decided by status and exception type, never by words."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from sinks.contract import DELIVERED, Outcome, Rejected, Retry, Unavailable
from sinks.http.values import StatusRange

MAX_AFTER_SECONDS = 7 * 86400.0
_ANY = StatusRange(100, 999)
# 429 is about the client's requests altogether (RFC 6585, 4), not about what is in this one: the sink waits.
DEFAULTS: dict[str, list[StatusRange]] = {
    "delivered": [StatusRange(200, 299)],
    "retry": [_ANY, StatusRange(500, 599), *(StatusRange(code, code) for code in (408, 425, 500))],
    "unavailable": [
        StatusRange(300, 399),
        *(StatusRange(code, code) for code in (401, 403, 404, 405, 407, 410, 429, 502, 503, 504)),
    ],
    "rejected": [StatusRange(code, code) for code in (400, 409, 413, 414, 415, 422)],
}
# Feishu takes 200 alone for success; another 2xx is a failed push, like any other status.
FEISHU = DEFAULTS | {"delivered": [StatusRange(200, 200)]}
EMPTY = Unavailable(
    "empty_answer",
    "answered 200 without a body, and EMPTY_ANSWER=unavailable. So the Node SDK answers when the signature was wrong and the "
    "handler did not run: is ENCRYPT_KEY the receiver's? But also when a handler returns nothing: let it return a value. "
    "Before 1.44 it answers everything so: take EMPTY_ANSWER=delivered there",
)


class Answer(NamedTuple):
    """An outcome, and whether a smaller request could have another one (`divisible`), as a batch's 400 or 500 could."""

    outcome: Outcome
    divisible: bool = False


class StatusTable:
    """Status → outcome's name. The narrower entry wins; of equal ones a setting wins over the default."""

    def __init__(
        self,
        settings: Mapping[str, Sequence[StatusRange]],
        defaults: Mapping[str, Sequence[StatusRange]] = DEFAULTS,
    ) -> None:
        entries = [
            (entry, name) for layer in (defaults, settings) for name, ranges in layer.items() for entry in ranges
        ]
        self._names: dict[int, str] = {}
        for (first, last), name in sorted(entries, key=lambda item: item[0].first - item[0].last):
            self._names.update(dict.fromkeys(range(first, last + 1), name))

    def answer(self, status: int, detail: str, after: float | None) -> Answer:
        """What a status means for what was sent."""
        reason = f"http_{status}"
        match self._names.get(status, "retry"):
            case "delivered":
                return Answer(DELIVERED)
            case "rejected":
                return Answer(Rejected(reason, detail), divisible=True)
            case "unavailable":
                return Answer(Unavailable(reason, detail, after))
            case _:
                return Answer(Retry(reason, detail, after), divisible=status >= 500 and after is None)


def retry_after(value: str | None, now: float) -> float | None:
    """`Retry-After`, in seconds or as a date (RFC 9110, 10.2.3), → seconds from `now` (Unix). None when unreadable."""
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]+", text):
        digits = text.lstrip("0")
        return min(float(digits or 0), MAX_AFTER_SECONDS) if len(digits) < 10 else MAX_AFTER_SECONDS
    try:
        date = parsedate_to_datetime(text)
        seconds = date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_AFTER_SECONDS)
