"""What aiohttp would log, as facts: it writes a stack trace for every port scan."""

import logging

from aiohttp.http import HttpProcessingError

from router.telemetry import Telemetry, facts


def http_logger(telemetry: Telemetry, server: str) -> logging.Logger:
    """A logger of its own (not in logging's tree) for one server: heads that are no HTTP are refusals, all else is a bug."""
    logger = logging.Logger(f"router.{server}", logging.DEBUG)  # noqa: LOG001 - a second router in the process has its own
    logger.addHandler(_Facts(telemetry, server))
    return logger


class _Facts(logging.Handler):
    def __init__(self, telemetry: Telemetry, server: str) -> None:
        super().__init__()
        self._telemetry = telemetry
        self._server = server

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            self._telemetry.emit(
                facts.REFUSED, app="", reason="not_http", status="400", server=self._server, error=type(error).__name__
            )
        elif error is not None:
            self._telemetry.emit(facts.CRASHED, worker=self._server, error=type(error).__name__, exc_info=error)
