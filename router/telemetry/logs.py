"""Structured logs: JSON lines, or colours on a terminal, to standard error."""

import json
import sys
from typing import Any, Literal, TextIO

import orjson
import structlog
from structlog.typing import FilteringBoundLogger

from router.telemetry.telemetry import LEVELS


def make_logger(
    level: str, format_: Literal["auto", "json", "console"], stream: TextIO | None = None
) -> FilteringBoundLogger:
    """A logger of its own: nothing global is configured, so that two routers in one process don't meet."""
    out = stream or sys.stderr
    console = format_ == "console" or (format_ == "auto" and out.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=out.isatty())
        if console
        else structlog.processors.JSONRenderer(serializer=_dump)
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
