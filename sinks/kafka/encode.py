"""What an envelope becomes in Kafka: topic, key, value, headers. Pure.

Source: CloudEvents 1.0.2, "Kafka Protocol Binding"; Kafka's rules for topic names (1-249 of a-z A-Z 0-9 . _ -).
"""

import functools
import hashlib
import re
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

import orjson

from router.envelope import Envelope
from sinks.members import members

Headers = list[tuple[str, bytes]]
MAX_TOPIC_BYTES = 249
PLACEHOLDERS = {"event_type": "type", "app_id": "appid", "tenant_key": "tenantkey", "source": "source"}
"""What may stand in a topic template, and the envelope's attribute that fills it."""
STRUCTURED_HEADERS: Headers = [("content-type", b"application/cloudevents+json")]


class Record(NamedTuple):
    """One message. `size`: upper bound of its bytes in an uncompressed batch."""

    key: bytes
    value: bytes
    headers: Headers
    size: int


def legal_topic(raw: str) -> str:
    """The name itself where Kafka allows it; else a legal one that no other raw name has.

    What is not allowed becomes `_`, what is too long is cut, and a hash of the raw name is appended: so two names that
    differ only in illegal or cut characters still are two topics.
    """
    name = re.sub(r"[^a-zA-Z0-9._-]", "_", raw)
    if name == raw and 0 < len(name) <= MAX_TOPIC_BYTES and name not in {".", ".."}:
        return name
    digest = hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{name[: MAX_TOPIC_BYTES - 13]}-{digest}"


def topic_of(template: str) -> Callable[[Envelope], str]:
    """A function from envelope to topic. What an event doesn't have (app id, tenant) reads "unknown"."""
    parts = re.split(r"\{([^{}]*)\}", template)
    attributes, literals = [PLACEHOLDERS[name] for name in parts[1::2]], parts[0::2]
    if not attributes:
        topic = legal_topic(template)
        return lambda _envelope: topic
    read = attrgetter(*attributes)  # one value, or a tuple of several

    @functools.lru_cache(maxsize=4096)
    def name(values: str | tuple[str, ...]) -> str:
        found = (values,) if isinstance(values, str) else values
        filled = [literal + (value or "unknown") for literal, value in zip(literals, found, strict=False)]
        return legal_topic("".join([*filled, literals[-1]]))

    return lambda envelope: name(read(envelope))


def key_of(ordering: str) -> Callable[[Envelope], str]:
    """What must stay in order is one Kafka key, and so one partition: the subject, or the whole source."""
    if ordering == "source":
        return lambda envelope: envelope.source
    return lambda envelope: envelope.partitionkey


def structured(envelope: Envelope, key: str) -> Record:
    """The whole CloudEvent as the value, byte for byte as it was stored."""
    key_bytes = key.encode()
    return Record(key_bytes, envelope.json, STRUCTURED_HEADERS, len(key_bytes) + len(envelope.json) + 96)


def binary(envelope: Envelope, key: str) -> Record:
    """The event's data as the value, the attributes in headers. Raises ValueError for JSON that is no CloudEvent."""
    document = envelope.document()
    data = document.pop("data", None)
    content_type = str(document.pop("datacontenttype", "application/json"))
    headers = [("content-type", content_type.encode())]
    headers += [(f"ce_{name}", _text(value)) for name, value in document.items() if value is not None]
    key_bytes, value = key.encode(), _unharmed(envelope.json, orjson.dumps(data))
    size = len(key_bytes) + len(value) + 64 + sum(len(name) + len(text) + 10 for name, text in headers)
    return Record(key_bytes, value, headers, size)


def _unharmed(body: bytes, written: bytes) -> bytes:
    """The data as it stands in the event's JSON. Written anew it is the same but for numbers beyond 64 bits and such."""
    if b'"data":' + written in body:
        return written
    return members(body).get("data", "null").encode()


def _text(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else orjson.dumps(value)


ENCODERS: dict[str, Callable[[Envelope, str], Record]] = {"structured": structured, "binary": binary}
