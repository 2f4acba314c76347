"""Envelopes to send, as the router would have made them."""

from typing import Any

import orjson

from router.envelope import Envelope

TYPE = "corehr.department.updated_v2"
TRICKY: dict[str, Any] = {
    "64-bit integers": {"id": 9007199254740993, "min": -(2**63), "max": 2**64 - 1, "float": 1.5},
    "line ends in text": {"text": "a\u2028b\u2029c\u0085d\ne\r\nf"},
    "beyond the first plane": {"text": "飞书 😀 𝒳 \ufeff \u0000 \\ \" '"},
    "long": {"text": "長" * 70_000},
    "empty object": {},
    "empty list": [],
    "nested": {"a": [[[{"b": None}]]], "": True},
}
"""Data that careless sinks change."""


def make_envelope(
    number: int = 1,
    *,
    type_: str = TYPE,
    subject: str | None = "od-1",
    data: Any = None,
    recorded: str = "2026-01-31T23:59:58.123Z",
    **attributes: Any,
) -> Envelope:
    """Event `number`; its id is `event-<number>`, its data {"number": number} unless given."""
    source = attributes.pop("source", "feishu/cli_a1/t-1")
    document = {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": source,
        "type": type_,
        **({} if subject is None else {"subject": subject}),
        "time": "2026-01-31T23:59:57.000Z",
        "datacontenttype": "application/json",
        "tenantkey": "t-1",
        "appid": "cli_a1",
        "feishuschema": "2.0",
        "partitionkey": f"{source}/{subject}" if subject is not None else f"event-{number}",
        "recordedtime": recorded,
        **attributes,
        "data": {"number": number} if data is None else data,
    }
    return Envelope.from_document(document, orjson.dumps(document))
