"""An envelope as the push that it was: for receivers that speak Feishu's own format."""

from datetime import datetime
from typing import Any

import orjson

from router.envelope import Envelope
from router.feishu.envelopes import OLD_CARD
from router.feishu.numbers import has_float, parse_exactly

_DATA = b',"data":'
"""Attributes are scalars and `data` is the last member: within a string the quotes would be escaped."""


def to_push(envelope: Envelope, token: str = "") -> bytes:
    """The push as compact JSON, schema 2.0 or 1.0 as it came; its event is byte for byte the envelope's data.

    token: the receiver's verification token; the one that came was cut out, and so were tickets. A push without an id
    gets the envelope's, one without a time that of its arrival. Raises ValueError for what is no envelope of ours.
    """
    head, found, tail = envelope.json.partition(_DATA)
    if not found:
        raise ValueError("the envelope has no data")
    attributes = orjson.loads(head + b"}")
    data = orjson.Fragment(tail[:-1])
    if envelope.type == OLD_CARD:
        return tail[:-1]
    rest = _rest(attributes.get("feishuheader"))
    document = (_v1 if attributes.get("feishuschema") == "1.0" else _v2)(envelope, token, rest)
    return orjson.dumps({**document, "event": data})


def _v2(envelope: Envelope, token: str, rest: dict[str, Any]) -> dict[str, Any]:
    others = rest.pop("header", None)
    header = {
        "event_id": envelope.id,
        "event_type": envelope.type,
        "create_time": _create_time(envelope.time),
        "token": token,
    }
    header |= {name: value for name, value in (("app_id", envelope.appid), ("tenant_key", envelope.tenantkey)) if value}
    if isinstance(others, dict):
        header |= {**others, "event_id": envelope.id}
    return {"schema": "2.0", "header": header, **rest}


def _v1(envelope: Envelope, token: str, rest: dict[str, Any]) -> dict[str, Any]:
    document = {"ts": _ts(envelope.time), "uuid": envelope.id, "token": token, "type": "event_callback"}
    return {**document, **rest, "uuid": envelope.id}


def _rest(text: str | None) -> dict[str, Any]:
    """What no attribute could hold."""
    if text is None:
        return {}
    rest = orjson.loads(text)
    if has_float(rest):
        rest = parse_exactly(text.encode())
    return rest if isinstance(rest, dict) else {}


def _create_time(time: str) -> str:
    """Milliseconds or microseconds, as it came: the fraction has as many digits."""
    seconds, fraction = _split(time)
    return f"{seconds}{fraction}"


def _ts(time: str) -> str:
    seconds, fraction = _split(time)
    return f"{seconds}.{fraction}" if len(fraction) > 3 else f"{seconds}.{fraction}".rstrip("0").rstrip(".")


def _split(time: str) -> tuple[int, str]:
    """RFC 3339 in UTC, with a fraction of three or six digits, → Unix seconds and the fraction."""
    whole, _, fraction = time.removesuffix("Z").partition(".")
    return int(datetime.fromisoformat(f"{whole}+00:00").timestamp()), fraction
