"""Envelopes → body and headers.

Source: CloudEvents 1.0.2, "HTTP Protocol Binding" (3.1 binary, 3.2 structured, 3.3 batched; 3.1.3.2 header values).
"""

import json
import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from router.envelope import Envelope
from sinks.members import members

_NAME = re.compile(r"[a-z0-9]+")
# Binding 3.1.3.2: space, double quote, percent and all beyond U+0021-U+007E are encoded, nothing else.
_PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


class Encoded(NamedTuple):
    """What one request carries besides authentication and signature."""

    body: bytes
    headers: dict[str, str]


def structured(envelope: Envelope) -> Encoded:
    """The whole CloudEvent as it is stored."""
    return Encoded(envelope.json, {"Content-Type": "application/cloudevents+json"})


def batch(envelopes: Sequence[Envelope]) -> Encoded:
    """A JSON array of whole CloudEvents."""
    body = b"[%b]" % b",".join(envelope.json for envelope in envelopes)
    return Encoded(body, {"Content-Type": "application/cloudevents-batch+json"})


def data(envelope: Envelope) -> Encoded:
    """`data` alone, byte for byte. Raises ValueError when the envelope's JSON can't be read."""
    found = members(envelope.json)
    return Encoded(found.get("data", "").encode(), {"Content-Type": _content_type(found)})


def binary(envelope: Envelope) -> Encoded:
    """`data` as the body, byte for byte, all else as `ce-` headers. Raises ValueError for an attribute that can't be one."""
    found = members(envelope.json)
    headers = {"Content-Type": _content_type(found)}
    for name, raw in found.items():
        if name in {"data", "datacontenttype"} or raw == "null":
            continue
        if not _NAME.fullmatch(name):
            raise ValueError(f"attribute name {name[:40]!r} can't be a header")
        headers[f"ce-{name}"] = quote(_text(raw), safe=_PLAIN)
    return Encoded(found.get("data", "").encode(), headers)


def _content_type(found: dict[str, str]) -> str:
    """The data's media type; one that can't stand in a header is treated as absent, which by CloudEvents is JSON."""
    text = _text(found.get("datacontenttype", "null"))
    return text if re.fullmatch(r"[!-~]+/[!-~]+(;[ -~]*[!-~])?", text) else "application/json"


def _text(raw: str) -> str:
    """A string's characters; any other value (integer, boolean) as JSON writes it, which is its canonical form."""
    return str(json.loads(raw)) if raw.startswith('"') else raw
