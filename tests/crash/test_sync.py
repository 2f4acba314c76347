"""A kill leaves the page cache alive; so see it in the system calls: a data sync ends before an answer 200 is written."""

import re
import shutil
from pathlib import Path

import pytest

from tests.doubles.ports import free_ports
from tests.flow.feishu import ENVIRON
from tests.flow.program import Program

CALL = re.compile(r"^(?P<pid>\d+) +(?P<time>[\d.]+) (?P<call>.*)$")
PUSHES = 20
SETTLES_NOTHING = {
    "FER_SINKS": "dev",
    "FER_SINK__DEV__TYPE": "feishu_ws",
    "FER_SINK__DEV__APP_ID": "cli_nobody_connects",
    "FER_SINK__DEV__APP_SECRET": "nobody connects ever",
}
"""All that is written to the journal are the events."""


@pytest.mark.timeout(180)
def test_a_data_sync_of_the_journal_ends_before_each_200(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    assert strace, "this test needs strace: apt-get install strace"
    trace = tmp_path / "trace"
    calls = "trace=fdatasync,fsync,write,writev,sendto,sendmsg,pwrite64"
    prefix = [strace, "-D", "-f", "-ttt", "-y", "-s", "300", "-e", calls, "-e", "signal=none", "-o", str(trace)]
    listen = {"FER_WS__LISTEN": f"127.0.0.1:{free_ports(1)[0]}"}
    with Program(tmp_path, ENVIRON | SETTLES_NOTHING | listen, prefix) as router:
        sent = router.send("--count", str(PUSHES))
        assert sent.returncode == 0, sent.stdout + sent.stderr
        router.stop(60)
    _check(trace.read_text(errors="replace").splitlines())


def _check(lines: list[str]) -> None:
    """Between two answers to different pushes, one after the other, a write to the log and then its sync must end."""
    answers = syncs_before = 0
    written = synced = False
    for line in lines:
        match = CALL.match(line)
        call = match["call"] if match else ""
        if call.startswith("pwrite64(") and "journal.db-wal>" in call:
            written, synced = True, False
        elif written and _sync_ended(call):
            synced = True
        elif "HTTP/1.1 200" in call and "success" in call:
            answers += 1
            syncs_before += synced
            written = synced = False
    assert answers >= PUSHES
    assert syncs_before == answers, f"{answers - syncs_before} of {answers} answers were written without a sync before"


def _sync_ended(call: str) -> bool:
    whole = call.startswith(("fdatasync(", "fsync(")) and "journal.db-wal>" in call and call.endswith("= 0")
    return whole or (call.startswith(("<... fdatasync resumed>", "<... fsync resumed>")) and call.endswith("= 0"))
