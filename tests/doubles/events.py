"""Envelopes for tests that don't care where they come from."""

import orjson

from router.envelope import Envelope


def envelope(number: int, subject: str = "s", type_: str = "corehr.department.updated_v2", size: int = 0) -> Envelope:
    source = "feishu/cli_9f5343c580712544/2ca1d211f64f6438"
    document = {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": source,
        "type": type_,
        "subject": subject,
        "time": "2026-01-01T00:00:00.000Z",
        "datacontenttype": "application/json",
        "tenantkey": "2ca1d211f64f6438",
        "appid": "cli_9f5343c580712544",
        "feishuschema": "2.0",
        "partitionkey": f"{source}/{subject}",
        "recordedtime": "2026-01-01T00:00:00.000Z",
        "data": {"n": number, "fill": "x" * size},
    }
    return Envelope.from_document(document, orjson.dumps(document), created_ms=1_700_000_000_000 + number)
