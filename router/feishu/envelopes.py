"""Parsed pushes as envelopes. Takes the parsed document apart: what no attribute can hold ends up in `feishuheader`."""

import hashlib
import re
from functools import lru_cache
from typing import Any, NamedTuple, TypeGuard
from urllib.parse import quote

import orjson

from router.envelope import Envelope
from router.feishu import times
from router.feishu.catalogue import subject
from router.feishu.numbers import has_float, parse_exactly

OLD_CARD = "card.action.trigger_v1"
CALLBACKS = frozenset({"card.action.trigger", "url.preview.get", OLD_CARD})
_CREDENTIALS = {"app_ticket": "app_ticket"} | dict.fromkeys(CALLBACKS, "token")
_LONGEST = 256
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


class Arrival(NamedTuple):
    """What is known of a push besides its document.

    plaintext: the document's JSON; now: Unix seconds; app_id: stands in where the push names none; traceparent: the
    header as it came.
    """

    plaintext: bytes
    now: float
    app_id: str
    traceparent: str | None = None


class _Facts(NamedTuple):
    id: str
    type: str
    schema: str
    app_id: str
    tenant_key: str
    time: str
    created_ms: int


def is_attribute(value: Any) -> TypeGuard[str]:
    """Whether CloudEvents takes it as a string attribute: text without control characters, not empty; here also bounded."""
    return isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable()


def from_v2(document: dict[str, Any], arrival: Arrival) -> Envelope:
    """Schema 2.0. The caller has seen that `header` is an object whose `event_type` is an attribute. Consumes the document."""
    document, event, data = _unharmed(document, document["header"]["event_type"], arrival.plaintext)
    header = document["header"]
    header.pop("token", None)
    document.pop("token", None)
    if document["schema"] == "2.0":  # another value is taken for the same form, and kept
        del document["schema"]
    created = times.created(header.get("create_time"))
    if created is not None:
        del header["create_time"]
    time, created_ms = created or ("", 0)
    facts = _Facts(
        _take(header, "event_id"),
        header.pop("event_type"),
        "2.0",
        _take(header, "app_id"),
        _take(header, "tenant_key"),
        time,
        created_ms,
    )
    if not header:
        del document["header"]
    return _assemble(facts, event, data, document, arrival)


def from_v1(document: dict[str, Any], arrival: Arrival) -> Envelope:
    """Schema 1.0. The caller has seen that `event` is an object whose `type` is an attribute. Consumes the document."""
    document, event, data = _unharmed(document, document["event"]["type"], arrival.plaintext)
    document.pop("token", None)
    document.pop("type", None)
    time = times.pushed(document.get("ts"))
    if time is not None:
        del document["ts"]
    app_id, tenant_key = event.get("app_id"), event.get("tenant_key")
    facts = _Facts(
        _take(document, "uuid"),
        event["type"],
        "1.0",
        app_id if is_attribute(app_id) else "",
        tenant_key if is_attribute(tenant_key) else "",
        time or "",
        0,
    )
    return _assemble(facts, event, data, document, arrival)


def from_old_card(document: dict[str, Any], arrival: Arrival, id_: str | None) -> Envelope:
    """Old card callback: the flat body is the data; id_: the header that serves as one. Consumes the document."""
    if has_float(document):
        document = parse_exactly(arrival.plaintext)
    document.pop("token", None)
    tenant_key = document.get("tenant_key")
    facts = _Facts(
        id_ if is_attribute(id_) else "",
        OLD_CARD,
        "1.0",
        "",
        tenant_key if is_attribute(tenant_key) else "",
        "",
        0,
    )
    return _assemble(facts, document, document, {}, arrival)


def _unharmed(document: dict[str, Any], type_: str, plaintext: bytes) -> tuple[dict[str, Any], Any, Any]:
    """Give the document, its event, and the event as it goes into the envelope: without credential, with every digit.

    What orjson writes for the event is usually, byte for byte, the end of what came: then no number has changed, and that
    piece is used. Otherwise a float somewhere means that digits may have been lost, and they are read once more as text.
    """
    event = document.get("event", {})
    credential = _CREDENTIALS.get(type_)
    if credential is None and _is_usual(document) and plaintext.endswith((raw := orjson.dumps(event)) + b"}"):
        document.pop("event", None)
        return document, event, orjson.Fragment(raw)
    if has_float(document):
        document = parse_exactly(plaintext)
    event = document.pop("event", {})
    if credential is not None and isinstance(event, dict):
        event.pop(credential, None)
    return document, event, event


def _is_usual(document: dict[str, Any]) -> bool:
    header = document.get("header")
    return len(document) <= 3 and len(header) <= 6 if isinstance(header, dict) else len(document) <= 5


def _take(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not is_attribute(value):
        return ""
    del fields[name]
    return value


def _assemble(facts: _Facts, event: Any, data: Any, rest: dict[str, Any], arrival: Arrival) -> Envelope:
    id_, type_, schema, app_id, tenant_key, time, created_ms = facts
    id_ = id_ or hashlib.sha256(arrival.plaintext).hexdigest()
    app_id = app_id or arrival.app_id
    source = _source(app_id, tenant_key)
    subject_ = subject(type_, event)
    recordedtime = times.recorded(arrival.now)
    document = {"specversion": "1.0", "id": id_, "source": source, "type": type_}
    if subject_ is not None:
        document["subject"] = subject_
    document["time"] = time = time or recordedtime
    document["datacontenttype"] = "application/json"
    if app_id:
        document["appid"] = app_id
    if tenant_key:
        document["tenantkey"] = tenant_key
    document["feishuschema"] = schema
    document["partitionkey"] = partitionkey = id_ if subject_ is None else f"{source}/{subject_}"
    document["recordedtime"] = recordedtime
    if arrival.traceparent is not None and _TRACEPARENT.fullmatch(arrival.traceparent):
        document["traceparent"] = arrival.traceparent
    if rest:
        document["feishuheader"] = _as_attribute(orjson.dumps(rest))
    document["data"] = data
    # A copy, since this one is kept: orjson's own buffer may be four times as large.
    body = bytes(memoryview(orjson.dumps(document)))
    return Envelope(
        id_, source, type_, subject_, partitionkey, app_id, tenant_key, time, recordedtime, body, created_ms
    )


@lru_cache(maxsize=1024)
def _source(app_id: str, tenant_key: str) -> str:
    return f"feishu/{quote(app_id, safe='') or '-'}/{quote(tenant_key, safe='') or '-'}"


def _as_attribute(text: bytes) -> str:
    """JSON as a string attribute: what CloudEvents forbids in one stands only inside JSON's strings, so it can be escaped."""
    decoded = text.decode()
    if decoded.isprintable():
        return decoded
    return "".join(char if char.isprintable() else _escaped(char) for char in decoded)


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))
