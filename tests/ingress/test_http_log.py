"""What aiohttp would log becomes facts."""

import io
import logging

from aiohttp.http_exceptions import BadStatusLine

from router.ingress.http_log import http_logger
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger


def test_a_bad_head_is_a_refusal_and_a_bug_is_a_crash() -> None:
    out = io.StringIO()
    telemetry = Telemetry(make_logger("debug", "json", out))
    log = http_logger(telemetry, "webhook")
    log.debug("Error handling request from %s", "1.2.3.4", exc_info=BadStatusLine("secret\x00bytes"))
    log.error("Error handling request from %s", "1.2.3.4", exc_info=RuntimeError("a bug"))
    log.debug("chatter")
    value = telemetry.registry.get_sample_value
    assert value("fer_refused_total", {"app": "", "reason": "not_http", "status": "400"}) == 1
    assert value("fer_worker_crashes_total", {"worker": "webhook"}) == 1
    assert "secret" not in out.getvalue()
    assert out.getvalue().count("\n") == 2
    assert log.name not in logging.root.manager.loggerDict
