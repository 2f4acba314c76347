"""Structured logs: JSON lines, or colours on a terminal, to standard error."""

import json
import os
import sys
from typing import Any, Literal, TextIO

import orjson
import structlog
from structlog.typing import FilteringBoundLogger

from router.telemetry.telemetry import LEVELS

Format = Literal["auto", "json", "console"]


def is_json(format_: Format, stream: TextIO | None = None) -> bool:
    """Whether lines to this stream (None: standard error) are JSON."""
    return format_ == "json" or (format_ == "auto" and not (stream or sys.stderr).isatty())


def make_logger(level: str, format_: Format, stream: TextIO | None = None) -> FilteringBoundLogger:
    """A logger of its own: nothing global is configured, so that two routers in one process don't meet."""
    out = stream or sys.stderr
    renderer: Any = (
        structlog.processors.JSONRenderer(serializer=_dump)
        if is_json(format_, out)
        else structlog.dev.ConsoleRenderer(colors=out.isatty() and not os.environ.get("NO_COLOR"))
    )
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(out),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
    )
    return logger.bind()


def _dump(event: dict[str, Any], **_: object) -> str:
    """One line of JSON, whatever is in it: a log line must never be what fails."""
    try:
        return orjson.dumps(event, default=str).decode()
    except TypeError:  # integers beyond 64 bits, lone surrogates
        return json.dumps(event, default=str)
