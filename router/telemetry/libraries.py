"""What libraries write to Python's own logging, for our logs. Only warnings and errors."""

import logging
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from router.telemetry import facts
from router.telemetry.telemetry import Telemetry

LONGEST = 200
VALUE = "…"
_PLACEHOLDER = re.compile(r"%%|%(?:\(\w+\))?[-#0-9 +.*]*[a-zA-Z]")
_USERINFO = re.compile(r"(?<=://)[^/\s,]*@")


class Remark(NamedTuple):
    """A library's log line without its values, which may hold secrets: `VALUE` stands for each.

    library: the package; place: module and line that wrote it; error: the exception's type, "" for none; trace: where it
    was raised, innermost last.
    """

    library: str
    place: str
    text: str
    error: str
    trace: list[str]


@contextmanager
def heard(hear: Callable[[Remark], None]) -> Iterator[None]:
    """Hand over what libraries say meanwhile; none of it goes to standard error."""
    ear = _Ear(hear)
    root = logging.getLogger()
    root.addHandler(ear)
    try:
        yield
    finally:
        root.removeHandler(ear)


def logged(telemetry: Telemetry) -> Callable[[Remark], None]:
    """An ear that writes facts: the same line of a library's code once in a minute, the rest is counted."""

    def hear(remark: Remark) -> None:
        more: dict[str, Any] = {"error": remark.error, "trace": remark.trace} if remark.error else {}
        telemetry.emit(facts.LIBRARY, library=remark.library, place=remark.place, text=remark.text, **more)

    return hear


class _Ear(logging.Handler):
    def __init__(self, hear: Callable[[Remark], None]) -> None:
        super().__init__(logging.WARNING)
        self._hear = hear

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        frames = traceback.extract_tb(error.__traceback__)[-5:] if error else []
        remark = Remark(
            record.name.partition(".")[0],
            f"{record.module}:{record.lineno}",
            _text(record),
            type(error).__name__ if error else "",
            [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames],
        )
        self._hear(remark)


def _text(record: logging.LogRecord) -> str:
    """The first line of a message, its placeholders left open."""
    line = (str(record.msg).splitlines() or [""])[0]
    if record.args:
        line = _PLACEHOLDER.sub(lambda found: "%" if found[0] == "%%" else VALUE, line)
    return _USERINFO.sub("***@", line)[:LONGEST]
