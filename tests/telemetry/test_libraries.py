"""What libraries log: once, as facts, without their values."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from router.telemetry import Telemetry
from router.telemetry.libraries import Remark, heard, logged
from router.telemetry.logs import make_logger

SECRET = "s3cr3t7f1a"


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """A library's logger. It goes with the test: nothing of it stays in logging's tree."""
    yield logging.getLogger("somelib.conn")
    del logging.root.manager.loggerDict["somelib.conn"]


def test_warnings_are_facts_once_a_minute_for_each_place(
    log: logging.Logger, capfd: pytest.CaptureFixture[str]
) -> None:
    out = io.StringIO()
    with heard(logged(Telemetry(make_logger("info", "json", out)))):
        for _ in range(3):
            log.warning("Sending username and password in the clear")
        log.warning("another place")
        log.info("chatter")
    first, second = map(json.loads, out.getvalue().splitlines())
    assert (first["event"], first["level"], first["library"]) == ("library_warning", "warning", "somelib")
    assert first["text"] == "Sending username and password in the clear"
    assert second["text"] == "another place"
    assert first["place"].partition(":")[0] == "test_libraries"
    assert capfd.readouterr() == ("", "")


def test_no_value_and_no_text_of_an_exception_gets_out(log: logging.Logger) -> None:
    remarks: list[Remark] = []
    with heard(remarks.append):
        try:
            int(SECRET)
        except ValueError:
            log.exception("100%% of %s and %-9s failed at %5.1f", SECRET, SECRET, 1.0)
        log.error("%(name)s %(why)s", {"name": SECRET, "why": 1})
        log.warning("%s", SECRET)
        log.error("no http://user:%s@host\nsecond line %s", SECRET, SECRET)
        log.error(f"http://user:{SECRET}@host is 100% away")  # noqa: G004 - as libraries do
        log.error("")
    assert SECRET not in repr(remarks)
    assert [remark.text for remark in remarks] == [
        "100% of … and … failed at …",
        "… …",
        "…",
        "no http://***@host",
        "http://***@host is 100% away",
        "",
    ]
    assert remarks[0].error == "ValueError"
    assert "test_no_value_and_no_text" in remarks[0].trace[-1]


def test_it_ends(log: logging.Logger) -> None:
    handlers = list(logging.getLogger().handlers)
    with heard(lambda remark: pytest.fail(str(remark))):
        pass
    assert logging.getLogger().handlers == handlers
