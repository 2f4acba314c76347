"""What a program written with each SDK makes of a push, and where it differs from what it should."""

from collections.abc import Iterator
from typing import Any

Line = dict[str, Any]


def id_of(line: Line) -> str:
    """The event's id, of schema 2.0 or 1.0, wherever that SDK puts it."""
    document = line.get("document") or line
    header = document.get("header") or document
    return str(header.get("event_id") or header["uuid"])


def expected(sdk: str, push: dict[str, Any], token: str) -> Line:
    """The line for that push, to an app with this verification token ("" over a long connection).

    The documented events have no field that the SDKs' models lack: so the models' JSON is the event again.
    """
    push = with_token(push, token)
    event, header = push["event"], push.get("header")
    if sdk == "node":  # one flat object; where names collide the event wins, in schema 1.0 the push
        rest = {name: value for name, value in push.items() if name not in ("event", "header")}
        return {**rest, **header, **event} if header else {**event, **rest}
    if sdk == "python":
        return {"header": header or {name: push[name] for name in ("uuid", "ts")}, "event": event}
    return {"document": push} | ({"header": header, "event": event} if header else {})


def with_token(push: dict[str, Any], token: str) -> dict[str, Any]:
    """The same push with another verification token."""
    if "header" in push:
        return {**push, "header": {**push["header"], "token": token}}
    return {**push, "token": token}


def differences(wanted: Any, got: Any, path: str = "") -> Iterator[str]:
    """Each place where two documents differ, with both values; a number isn't a boolean, nor a text a number."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        for name in wanted.keys() | got.keys():
            yield from differences(wanted.get(name, ...), got.get(name, ...), f"{path}.{name}")
    elif isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        for number, pair in enumerate(zip(wanted, got, strict=True)):
            yield from differences(*pair, f"{path}[{number}]")
    elif type(wanted) is not type(got) or wanted != got:
        yield f"{path.removeprefix('.')}: {_shown(wanted)} became {_shown(got)}"


def _shown(value: Any) -> str:
    return "nothing" if value is ... else repr(value)[:100]
