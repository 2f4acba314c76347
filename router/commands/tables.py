"""Tables and texts on a terminal. What came from outside can't move the cursor, change colours or turn the writing round."""

import re
import time
from collections.abc import Sequence
from typing import Any

import click
import orjson

from router.admin.moments import moment, span

_UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but the line break, marks of writing direction, lone surrogates."""


def safe(text: object) -> str:
    """Text for a terminal: what could do something there is written out, the way JSON does."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", str(text))


def line(text: object, width: int = 0) -> str:
    """The same on one line, cut at that width."""
    whole = safe(text).replace("\n", "\\n")
    return whole if not width or len(whole) <= width else whole[: width - 1] + "…"


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns; numbers stay as they are written."""
    from tabulate import tabulate  # noqa: PLC0415 - `--help` need not wait for it

    cells = [[line(cell) for cell in row] for row in rows]
    return tabulate(cells, headers=headers, tablefmt="simple", disable_numparse=True)


def pairs(rows: Sequence[tuple[str, object]]) -> str:
    """Names and values, those that there are."""
    shown = [(name, line(value)) for name, value in rows if value not in (None, "")]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in shown)


def pretty(document: Any) -> str:
    """JSON with a member a line."""
    return safe(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


def print_json(document: Any) -> None:
    """For machines: one JSON object."""
    click.echo(pretty(document))


def when(text: str | None) -> str:
    """A time of the API, to the second, for people."""
    return text[:19].replace("T", " ") + "Z" if text else "-"


def age(text: str | None) -> str:
    """How long ago a time of the API was."""
    if not text:
        return "-"
    now = int(time.time() * 1000)
    return span((now - moment(text, now)) / 1000)


def counted(count: int, thing: str) -> str:
    """`1 dead letter`, `1,200 dead letters`."""
    return f"{count:,} {thing}" + ("" if count == 1 else "s")
