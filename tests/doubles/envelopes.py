"""Envelopes for tests, as the router would have made them."""

from typing import Any

import orjson

from router.envelope import Envelope

TYPE = "corehr.department.updated_v2"


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
        "time": "2026-01-31T23:59:57Z",
        "datacontenttype": "application/json",
        "tenantkey": "t-1",
        "appid": "cli_a1",
        "feishuschema": "2.0",
        "partitionkey": f"{source}/{subject}" if subject is not None else f"event-{number}",
        "recordedtime": recorded,
        **attributes,
        "data": {"number": number} if data is None else data,
    }
    if subject is not None:
        document["subject"] = subject
    return Envelope.from_document(document, orjson.dumps(document))
