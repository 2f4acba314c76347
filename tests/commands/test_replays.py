"""`replays` against a real admin port."""

import json
from pathlib import Path

from router.operations.contract import ReplayOrder, ReplayRow
from tests.commands.routers import running
from tests.doubles.operators import BORN_MS, MemoryOperators, row


def test_list_and_stop(tmp_path: Path) -> None:
    order = ReplayOrder("iam", BORN_MS, None, ("corehr.*",), rate=50.0)
    rows = {
        1: ReplayRow(1, order, "running", 101, 200, 150, 48, 1),
        2: ReplayRow(2, ReplayOrder("iam"), "running", 5, 4, 0, 0, 0),
    }
    with running(MemoryOperators({"iam": row("iam")}, running=rows), tmp_path) as router:
        lines = router.call("replays", "list").stdout.splitlines()
        assert lines[2].split()[:7] == ["1", "iam", "running", "50%", "48", "1", "50/s"]
        assert "type corehr.*" in lines[2]
        assert lines[3].split()[3] == "100%"
        assert [one["id"] for one in json.loads(router.call("replays", "list", "--json").stdout)["replays"]] == [1, 2]
        assert router.call("replays", "stop", "1").stdout == "Replay 1 to iam has ended; 48 were delivered.\n"
        again = router.call("replays", "stop", "1")
        assert (again.exit_code, again.stderr) == (1, "Error: replay 1 has ended\n")
        assert router.actions == ["stop replay replay 1 of sink iam"]
        router.operators.running.clear()
        assert router.call("replays", "list").stdout == "There are no replays.\n"
