"""Envelopes for the tests of the HTTP sink."""

from typing import Any

import orjson

from router.envelope import Envelope


def document(event_id: str = "e1", **changes: Any) -> dict[str, Any]:
    """A CloudEvent as the intake makes them."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "feishu/cli_1/t1",
        "type": "corehr.department.updated_v2",
        "subject": "d1",
        "time": "2026-11-21T01:02:03.004Z",
        "datacontenttype": "application/json",
        "tenantkey": "t1",
        "appid": "cli_1",
        "feishuschema": "2.0",
        "partitionkey": "feishu/cli_1/t1/d1",
        "recordedtime": "2026-11-21T01:02:03.100Z",
        "data": {"department_id": "d1", "name": '人事 "部"'},
    } | changes


def envelope(event_id: str = "e1", **changes: Any) -> Envelope:
    """The same as an Envelope."""
    return Envelope.from_json(orjson.dumps(document(event_id, **changes)))


def keyed(event_id: str, key: str) -> Envelope:
    """An envelope of one subject."""
    return envelope(event_id, partitionkey=key)
