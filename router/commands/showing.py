"""Events as a developer sees them arrive."""

from collections.abc import Callable
from typing import Any

import click
import orjson

from router.commands.tables import line, pretty, safe, when
from router.envelope import Envelope
from router.feishu.numbers import has_float, parse_exactly
from sinks.contract import Delivered, Outcome

Render = Callable[[Envelope, bytes], str | bytes]
"""An event, and the push as it came, → what is printed."""


def say(text: str) -> None:
    """Tell the person, beside what is printed."""
    click.echo(safe(text), err=True)


def json_line(body: bytes) -> bytes:
    """JSON on one line, otherwise byte for byte: within strings JSON has no bare line breaks."""
    return body.translate(_BREAKS).strip()


def whole(envelope: Envelope) -> str:
    """A line that says which event it is, and under it what it holds."""
    return f"{headline(envelope)}\n{pretty(_exactly(envelope.json)['data'])}\n"


def headline(envelope: Envelope) -> str:
    """When it was, what it is, of whom, and its id."""
    type_ = click.style(line(envelope.type), bold=True)
    return f"{when(envelope.time)}  {type_}  {line(envelope.subject or '-')}  {line(envelope.id)}"


def forwarded(envelope: Envelope, outcome: Outcome, milliseconds: float, remark: str = "") -> str:
    """The same with what the program answered, and a remark of ours on it."""
    answer = ", ".join(filter(None, [_answer(outcome), remark]))
    return f"{headline(envelope)}  {answer}  {milliseconds:.0f} ms"


def _answer(outcome: Outcome) -> str:
    if isinstance(outcome, Delivered):
        return click.style("200", fg="green")
    return click.style(line(outcome.detail or outcome.reason), fg="red")


def _exactly(body: bytes) -> dict[str, Any]:
    """The document with every digit as it came."""
    document: dict[str, Any] = orjson.loads(body)
    if has_float(document):
        document = parse_exactly(body)
    return document


_BREAKS = bytes.maketrans(b"\r\n", b"  ")
