"""Sample events for trying the router out: five real ones from Feishu's documentation, and made-up ones of any type."""

import random
import re
import uuid
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from router.feishu.catalogue import known, subject_paths
from router.feishu.corehr_fields import COREHR_FIELDS
from router.feishu.seeds import SEEDS

APP_ID = "cli_9f5343c580712544"
TENANT_KEY = "2ca1d211f64f6438"
_FIELD = re.compile(r"(\w+)(#?)(\[\])?([{]?)|([}])")


def seed_types() -> list[str]:
    """The five types that a plain `send` sends."""
    return list(SEEDS)


def sample(type_: str) -> dict[str, Any]:
    """A push of this type without token: the documented example if there is one, else with invented values.

    Schema 1.0 for a known type of those days, which have no dots; 2.0 for everything else.
    """
    event = deepcopy(SEEDS[type_]) if type_ in SEEDS else _invented(type_)
    if known(type_) and "." not in type_:
        event = {"type": type_, "app_id": APP_ID, "tenant_key": TENANT_KEY} | event
        return {
            "ts": "1608725989.000000",
            "uuid": "5e3702a84e847582be8db7fb73283c02",
            "token": "",
            "type": "event_callback",
            "event": event,
        }
    header = {
        "event_id": "5e3702a84e847582be8db7fb73283c02",
        "event_type": type_,
        "create_time": "1608725989000",
        "token": "",
        "app_id": APP_ID,
        "tenant_key": TENANT_KEY,
    }
    return {"schema": "2.0", "header": header, "event": event}


def fresh(push: dict[str, Any], now: float, token: str, app_id: str = "") -> dict[str, Any]:
    """The same push as a new one: its own event id and creation time (now: Unix seconds), and the app's token.

    Takes schema 2.0 and 1.0; anything else gets the token only. app_id "": the sample's own. Changes nothing in place.
    """
    push = dict(push)
    header, event = push.get("header"), push.get("event")
    if isinstance(header, dict):
        renewed = {"event_id": uuid.uuid4().hex, "create_time": str(int(now * 1000)), "token": token}
        push["header"] = header | renewed | ({"app_id": app_id} if app_id else {})
        return push
    push["token"] = token
    if "uuid" in push:
        push |= {"uuid": uuid.uuid4().hex, "ts": f"{now:.6f}"}
        if app_id and isinstance(event, dict):
            push["event"] = event | {"app_id": app_id}
    return push


def named(push: Mapping[str, Any]) -> tuple[object, object]:
    """A push's type and id, of schema 2.0 or 1.0; None or the like for what it hasn't got."""
    header, inner = push.get("header"), push.get("event")
    if isinstance(header, dict):
        return header.get("event_type"), header.get("event_id")
    return inner.get("type") if isinstance(inner, dict) else None, push.get("uuid")


def with_token(push: Mapping[str, Any], token: str) -> dict[str, Any]:
    """The same push with this verification token where its schema has it. Changes nothing in place."""
    header = push.get("header")
    if isinstance(header, dict):
        return {**push, "header": header | {"token": token}}
    return {**push, "token": token}


def _invented(type_: str) -> dict[str, Any]:
    """The documented fields where they are known, and in any case the one that names the entity."""
    event = _object(_FIELD.finditer(COREHR_FIELDS.get(type_, "")))
    paths = subject_paths(type_)
    if paths and not event:
        *parents, last = paths[0]
        inner = event
        for name in parents:
            inner = inner.setdefault(name, {})
        inner[last] = _value(last)
    return event


def _object(fields: Iterator[re.Match[str]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for match in fields:
        name, number, many, opens, closes = match.groups()
        if closes:
            break
        value = _object(fields) if opens else random.randint(1, 5) if number else _value(name)  # noqa: S311 - a sample
        made[name] = [value] if many else value
    return made


def _value(name: str) -> str:
    if name.endswith("date"):
        return "2022-04-03"
    if name.endswith("_id") or name == "id":
        prefix = {"open_id": "ou_", "union_id": "on_", "open_message_id": "om_", "chat_id": "oc_"}.get(name)
        number = random.randrange(6 * 10**18, 8 * 10**18)  # noqa: S311 - a sample
        return f"{prefix}{number:032x}" if prefix else str(number)
    return f"sample {name}".replace("_", " ")
