"""`connections` against a real admin port."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.operations.contract import ConnectionRow, ProgramRow
from tests.commands.routers import Running, running
from tests.doubles.operators import MemoryOperators


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Running]:
    now = int(time.time() * 1000)
    rows = [
        ConnectionRow("hr", 1, "connected", "735", "", now - 3_700_000, 0, 12345, now - 90_000, now - 30_000),
        ConnectionRow("hr", 2, "refused", "", "the app has\x1b[2J too many", now - 5_000, 1_770_000_000_000),
    ]
    here = [ProgramRow("payroll", "17", "10.0.0.7", "Go\x1b[2J", now - 3_700_000, 1, 98765)]
    with running(MemoryOperators(connected=rows, here=here), tmp_path) as router:
        yield router


def test_list(router: Running) -> None:
    result = router.call("connections")
    assert result.exit_code == 0, result.output
    up, down, _, _, _, program = result.stdout.splitlines()[2:]
    assert up.split() == ["hr", "1", "connected", "1h", "1m", "735", "12,345", "1m", "30s", "30s", "-"]
    assert down.split()[:3] == ["hr", "2", "refused"]
    assert "2026-02-02 02:40:00Z" in down
    assert "the app has\\u001b[2J too many" in down
    assert program.split() == ["payroll", "10.0.0.7", "1h", "1m", "17", "98,765", "1", "Go\\u001b[2J"]


def test_json(router: Running) -> None:
    whole = json.loads(router.call("connections", "--json").stdout)
    told = whole["connections"]
    assert whole["programs"][0]["acknowledged"] == 98765
    assert [row["state"] for row in told] == ["connected", "refused"]
    assert told[0]["next_attempt"] is None
    assert told[1]["last_event"] is None


def test_none(router: Running) -> None:
    router.operators.connected.clear()
    router.operators.here.clear()
    assert router.call("connections").stdout == "There are none to Feishu: no app has MODE=long_connection.\n"


def test_it_needs_a_running_router(router: Running, tmp_path: Path) -> None:
    result = router.call("connections", "--admin", "http://127.0.0.1:1")
    assert result.exit_code == 1
    assert "does the router run" in result.stderr or "Start the router" in result.stderr
