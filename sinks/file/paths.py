"""The path template: what is a valid one, which file an event belongs to, and which files of a folder are ours. Pure."""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import PurePath

from router.envelope import Envelope

PLACEHOLDERS = ("date", "hour", "app", "tenant", "event_type", "sink")
EMPTY = "%empty"
COMPONENT_BYTES = 255
"""The longest file name that Linux file systems take."""
SUFFIX_BYTES = 40
"""Room kept in it for `@20260131T235959Z-0001` and `.zst.tmp`."""
LEAST_VALUE_BYTES = 32
_HASH_DIGITS = 20
_VALUE = r"[A-Za-z0-9_.%~-]+"
_CLOSED = r"@\d{8}T\d{6}Z-\d{4,}"
_UNSAFE = re.compile(rb"[^A-Za-z0-9_.-]|^\.")
_TOKEN = re.compile(r"\{([^{}]*)\}")


class PathTemplate:
    """A parsed template such as `/data/{date}/{event_type}.jsonl`. Raises ValueError, naming what is wrong.

    root: the fixed folder in front of the first placeholder, which no value can leave.
    """

    def __init__(self, text: str) -> None:
        _check(text)
        fixed = _TOKEN.split(text, maxsplit=1)[0]
        head, slash, _ = fixed.rpartition("/")
        self.text = text
        self.root = (head or "/") if slash else "."
        self.parts = [_tokens(part) for part in text[len(head + slash) :].split("/")]
        rooms = [_room(part) for part in self.parts]
        self._room = {name: min(room[name] for room in rooms if name in room) for name in set().union(*rooms)}
        self.names = tuple(name for name in PLACEHOLDERS if name in self._room)
        last_literal = self.parts[-1][-1]
        self.extension = "." + last_literal.rpartition(".")[2] if "." in last_literal else ""
        self.live = re.compile(self._pattern())
        self.closed = re.compile(self._pattern(_CLOSED))
        self._render = lru_cache(maxsize=4096)(self._fill)

    @property
    def dated(self) -> bool:
        """Files of this template have their time, and are done with when it is over."""
        return "date" in self.names or "hour" in self.names

    def relative(self, envelope: Envelope, sink: str) -> str:
        """The event's file, relative to the root. Never raises."""
        recorded = envelope.recordedtime
        moment = recorded[:13] if recorded.endswith("Z") else recorded
        return self._render(envelope.type, envelope.appid, envelope.tenantkey, moment, sink)

    def over(self, relative: str, now: float) -> bool:
        """Whether the file's date and hour are others than those of `now` (Unix seconds)."""
        match = self.live.fullmatch(relative)
        if not self.dated or match is None:
            return False
        stamp = datetime.fromtimestamp(now, UTC)
        current = {"date": stamp.strftime("%Y-%m-%d"), "hour": stamp.strftime("%H")}
        return any(match[name] != value for name, value in current.items() if name in self.names)

    def closed_name(self, relative: str, now: float, count: int) -> str:
        """The name of a file closed at `now`: `x.jsonl` → `x@20260131T235959Z-0001.jsonl`."""
        stem = relative.removesuffix(self.extension) if self.extension else relative
        return f"{stem}@{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}-{count:04d}{self.extension}"

    def _fill(self, event_type: str, app: str, tenant: str, moment: str, sink: str) -> str:
        date, hour = _date_and_hour(moment)
        values = {"date": date, "hour": hour, "app": app, "tenant": tenant, "event_type": event_type, "sink": sink}
        return self._build(lambda literal: literal, lambda name: safe_value(values[name], self._room[name]))

    def _pattern(self, closed: str = "") -> str:
        seen: set[str] = set()

        def group(name: str) -> str:
            if name in seen:
                return f"(?P={name})"
            seen.add(name)
            return f"(?P<{name}>{_VALUE})"

        body = self._build(re.escape, group)
        end = re.escape(self.extension)
        return body.removesuffix(end) + closed + end if end else body + closed

    def _build(self, literal: Callable[[str], str], value: Callable[[str], str]) -> str:
        return "/".join(
            "".join(value(token) if index % 2 else literal(token) for index, token in enumerate(part))
            for part in self.parts
        )


def safe_value(value: str, limit: int) -> str:
    """A value as part of a file name: letters, digits, `_-.` as they are, the rest %XX; never empty, no dot in front.

    Distinct values stay distinct: what is longer than `limit` bytes is cut and ends in `~` and a hash.
    """
    raw = value.encode("utf-8", "surrogatepass")
    safe = _UNSAFE.sub(lambda match: b"%%%02X" % match[0][0], raw).decode("ascii") or EMPTY
    if len(safe) <= limit:
        return safe
    digest = hashlib.sha256(raw).hexdigest()[:_HASH_DIGITS]
    return f"{safe[: limit - _HASH_DIGITS - 1]}~{digest}"


def _check(text: str) -> None:
    if not text or "\0" in text:
        raise ValueError("is empty or holds a NUL")
    unknown = sorted(set(_TOKEN.findall(text)) - set(PLACEHOLDERS))
    if unknown:
        raise ValueError(f"unknown placeholder {{{unknown[0]}}}; known are {', '.join(PLACEHOLDERS)}")
    if set("{}") & set(_TOKEN.sub("", text)):
        raise ValueError("a { or } stands alone; placeholders are written {event_type}")
    if text.endswith("/"):
        raise ValueError("names a folder; the file's name is missing, for example {event_type}.jsonl")
    if PurePath(text).suffix in {".gz", ".zst", ".tmp"}:
        raise ValueError("the file being written is plain JSON Lines; for compressed ones set COMPRESSION")


def _tokens(part: str) -> list[str]:
    """Literals and placeholder names in turn, a literal first and last."""
    tokens = _TOKEN.split(part)
    if part in {"", ".", ".."}:
        raise ValueError("no empty, . or .. folder may follow a placeholder, nor be the file's name")
    return tokens


def _room(part: list[str]) -> dict[str, int]:
    """How many bytes each placeholder's value may have for the whole component to fit."""
    names = part[1::2]
    free = COMPONENT_BYTES - SUFFIX_BYTES - len("".join(part[::2]).encode())
    if free < LEAST_VALUE_BYTES * len(names):
        raise ValueError(f"a file or folder name is too long for {COMPONENT_BYTES} bytes")
    return {name: free // len(names) for name in names}


def _date_and_hour(moment: str) -> tuple[str, str]:
    """Of a time in RFC 3339, or the front of one in UTC; both empty for anything else."""
    try:
        stamp = datetime.fromisoformat(moment)
        stamp = stamp.astimezone(UTC) if stamp.tzinfo else stamp
    except (ValueError, OverflowError):
        return "", ""
    return stamp.strftime("%Y-%m-%d"), stamp.strftime("%H")
