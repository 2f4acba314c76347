"""Text of the environment → header lists and status ranges. Errors never repeat a header's value or a secret."""

import base64
import binascii
import re
from typing import Any, NamedTuple
from urllib.parse import urlsplit

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - RFC 9110 calls this grammar rule "token"
_HEADER = re.compile(rf"({_TOKEN}):[ \t]*([\x20-\x7e]*)")
_NEXT_HEADER = re.compile(rf",(?=\s*{_TOKEN}:\s)")
OWN_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "keep-alive"}
    | {"proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"}
)
MIN_KEY_BYTES = 24
"""Standard Webhooks asks for at least 192 bits."""


class StatusRange(NamedTuple):
    """Statuses from first to last, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def split_headers(value: Any) -> Any:
    """`Name: value` one a line; on a single line a comma parts them where the next `Name: ` follows."""
    if not isinstance(value, str):
        return value
    parts = value.splitlines() if "\n" in value.strip() else _NEXT_HEADER.split(value)
    return [part.strip() for part in parts if part.strip()]


def parse_header(text: str) -> tuple[str, str]:
    """`Name: value` → both. Raises ValueError for what is no header, or one that the sink sets itself."""
    match = _HEADER.fullmatch(text)
    if match is None:
        raise ValueError("expected headers as `Name: value`, one a line, values in printable ASCII")
    name = match[1]
    if name.lower() in OWN_HEADERS or name.lower().startswith(("ce-", "webhook-")):
        raise ValueError(f"header {name} is set by the sink itself")
    return name, match[2].strip()


def parse_status(text: str) -> StatusRange:
    """`404`, `5xx` or `500-599` → range. Raises ValueError."""
    if re.fullmatch(r"[1-9]xx", text.lower()):
        first = int(text[0]) * 100
        return StatusRange(first, first + 99)
    match = re.fullmatch(r"([1-9][0-9]{2})(?:\s*-\s*([1-9][0-9]{2}))?", text)
    if match is None or int(match[2] or match[1]) < int(match[1]):
        raise ValueError(f"expected a status such as 404, 5xx or 500-599, not {text[:20]!r}")
    return StatusRange(int(match[1]), int(match[2] or match[1]))


def parse_key(secret: str) -> bytes:
    """A signing secret, `whsec_` with base64 or raw text, → HMAC key. Raises ValueError without repeating it."""
    if secret.startswith(("whsk_", "whpk_")):
        raise ValueError("asymmetric keys (whsk_, whpk_) can't be used: give a symmetric one (whsec_…)")
    key = secret.encode()
    if secret.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("a signing secret that begins with whsec_ must go on in base64") from None
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(
            f"a signing secret needs at least {MIN_KEY_BYTES} bytes; make one with: openssl rand -base64 32"
        )
    return key


def check_url(url: str, *, credentials: bool) -> None:
    """Raise ValueError unless it is a whole http(s) URL; with `credentials` it may hold a user and a password."""
    if re.search(r"[\x00-\x20\x7f]", url):
        raise ValueError("a URL holds no spaces and no control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
        (parts.hostname or "").encode("idna")
    except ValueError:
        raise ValueError("not a URL: its host or port can't be read") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError("expected a URL such as https://host.example/path")
    if not credentials and "@" in parts.netloc:
        raise ValueError("no user or password in the URL: use BASIC_USERNAME and BASIC_PASSWORD, or BEARER_TOKEN")


def shown_url(url: str) -> str:
    """The URL for people: without credentials and query; parts of the path that look like tokens are masked."""
    parts = urlsplit(url)
    path = "/".join("…" if looks_secret(segment) else segment for segment in parts.path.split("/"))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}{'?…' if parts.query else ''}"


def looks_secret(segment: str) -> bool:
    """Whether a part of a path is more likely a token than a word."""
    return len(segment) >= 20 and any(char.isdigit() for char in segment)
