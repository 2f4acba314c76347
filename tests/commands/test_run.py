"""`run` as a program: what it says, what ends it, and with which status."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from router.feishu.push import build
from tests.doubles.plugin import install
from tests.doubles.ports import free_ports, hold
from tests.flow.feishu import department
from tests.flow.program import PROGRAM, Program, eventually
from tests.flow.targets import in_files


def run(folder: Path, environ: Mapping[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    """A start that is expected to fail."""
    env = {"PATH": os.environ["PATH"], "FER_DATA_DIR": str(folder / "data"), **environ}
    return subprocess.run(
        [PROGRAM, "run", *args], check=False, env=env, cwd=folder, capture_output=True, text=True, timeout=30
    )


@pytest.fixture
def router(tmp_path: Path) -> Program:
    return Program(tmp_path, {})


def ports() -> dict[str, str]:
    webhook, admin = free_ports(2)
    return {"FER_LISTEN": f"127.0.0.1:{webhook}", "FER_ADMIN__LISTEN": f"127.0.0.1:{admin}"}


def ends_after(router: Program, number: signal.Signals) -> None:
    """With status 0, and all five events of `send` delivered."""
    os.kill(router.pid, number)
    assert router._process is not None
    assert router._process.wait(30) == 0
    assert len(in_files(router.folder / "data")) == 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_ends_with_0(router: Program, number: signal.Signals) -> None:
    with router:
        assert router.send().returncode == 0
        ends_after(router, number)
    assert '"event":"stopped"' in router.tail()


def test_it_serves_and_drains_where_neither_log_nor_banner_can_be_written(router: Program) -> None:
    router.prefix = ("sh", "-c", 'exec "$@" >/dev/full 2>&1', "sh")
    with router:
        assert router.send().returncode == 0
        ends_after(router, signal.SIGTERM)


def test_a_second_signal_ends_it_at_once_and_loses_nothing(router: Program) -> None:
    router.environ |= {"FER_DRAIN__ACCEPT_SECONDS": "20", "FER_DRAIN__GRACE_SECONDS": "60"}
    with router:
        assert router.send().returncode == 0
        os.kill(router.pid, signal.SIGTERM)
        eventually(lambda: router.get("/readyz")[0] == 503, 30, router.tail)
        assert router.get("/healthz")[0] == 200
        assert router.stop() == 128 + signal.SIGTERM
    router.environ["FER_DRAIN__ACCEPT_SECONDS"] = "0"
    with router:
        eventually(router.settled, 30, router.tail)
        assert router.stop() == 0
    assert len({event["id"] for event in in_files(router.folder / "data")}) == 5


def test_ctrl_c_waits_for_no_load_balancer(router: Program) -> None:
    router.environ |= {"FER_DRAIN__ACCEPT_SECONDS": "60", "FER_DRAIN__GRACE_SECONDS": "100"}
    with router:
        assert router.send().returncode == 0
        ends_after(router, signal.SIGINT)


def test_a_terminal_that_is_closed_drains(router: Program) -> None:
    """The router leads the terminal's session, as a shell's last program does: it gets SIGHUP, and its output is dead."""
    ours, its = pty.openpty()
    told = "signal.signal(signal.SIGHUP, signal.SIG_DFL)"  # the tests themselves may run under nohup
    lead = f"import fcntl, os, signal, sys; {told}; fcntl.ioctl(0, {termios.TIOCSCTTY}, 0); os.execv(sys.argv[1], sys.argv[1:])"
    child = subprocess.Popen(
        [sys.executable, "-c", lead, PROGRAM, "run"],
        env=router.environ | {"FER_DRAIN__ACCEPT_SECONDS": "5", "FER_LOG__LEVEL": "debug"},
        cwd=router.folder,
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    try:
        eventually(lambda: router.get("/readyz")[0] == 200, 30, lambda: str(child.poll()))
        assert router.send().returncode == 0
        os.close(ours)
        eventually(lambda: router.get("/readyz")[0] == 503, 30, lambda: str(child.poll()))
        body, headers = build(department("d1", 1), "", time.time())
        with urllib.request.urlopen(urllib.request.Request(router.url, body, headers)) as answer:
            assert answer.status == 200, "it takes what comes before the load balancer knows"
        assert child.wait(30) == 0
    finally:
        child.kill()
        child.wait()
    assert len(in_files(router.folder / "data")) == 6
    assert not (router.folder / "data" / "journal.db-wal").exists()


def test_what_libraries_log_is_a_line_of_json_like_any_other(
    router: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
import logging
from sinks.memory import MemorySink

class Chatty(MemorySink):
    async def open(self):
        for _ in range(3):
            logging.getLogger("somelib.conn").warning("No answer of %s in the clear", "s3cr3t7f1a")

SINK = SinkType(SinkSettings, lambda name, settings: Chatty(), lambda settings: "nowhere")
"""
    install(tmp_path, monkeypatch, "chatty", source)
    router.environ |= {"PYTHONPATH": str(tmp_path), "FER_SINKS": "a", "FER_SINK__A__TYPE": "chatty"}
    with router:
        eventually(lambda: router.metric("fer_sink_state", state="running") == 1, 30, router.tail)
        assert router.stop() == 0
    lines = [json.loads(line) for line in router.log.read_text().splitlines() if line.startswith("{")]
    assert [line["text"] for line in lines if line["event"] == "library_warning"] == ["No answer of … in the clear"]
    assert router.log.read_text().count("in the clear") == 1
    assert "s3cr3t7f1a" not in router.log.read_text()


def test_bad_settings_are_all_named_and_nothing_is_started(tmp_path: Path) -> None:
    ended = run(tmp_path, {"FER_LISTN": "x", "FER_INGRESS__MAX_DEPTH": "no", "FER_LISTEN": "0.0.0.0:1"})
    assert ended.returncode == 2
    for name in ("FER_LISTN", "FER_INGRESS__MAX_DEPTH", "FER_LISTEN"):
        assert name in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "data").exists()


def test_a_second_router_on_the_same_journal_is_refused(router: Program) -> None:
    with router:
        ended = run(router.folder, ports())
        assert ended.returncode == 1
        assert "another" in ended.stderr.lower(), ended.stderr
        assert str(router.folder / "data") in ended.stderr
        assert "Traceback" not in ended.stderr
        assert router.send().returncode == 0
        assert router.stop() == 0


@pytest.mark.parametrize("name", ["FER_LISTEN", "FER_ADMIN__LISTEN"])
def test_a_port_that_is_taken_is_named(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(tmp_path, ports() | {name: f"127.0.0.1:{port}"})
    assert ended.returncode == 1
    (line,) = map(json.loads, ended.stderr.splitlines()[-1:])
    assert (line["event"], line["level"]) == ("start_failed", "error")
    assert line["reason"].startswith(f"{name}: 127.0.0.1:{port} is in use by another program")


@pytest.mark.parametrize(("host", "words"), [("192.0.2.7", "no address of this machine"), ("no.invalid", "resolved")])
@pytest.mark.parametrize("name", ["FER_LISTEN", "FER_ADMIN__LISTEN"])
def test_an_address_that_is_not_ours_is_said_in_words(tmp_path: Path, name: str, host: str, words: str) -> None:
    keys = {"FER_APP__ENCRYPT_KEY": "k", "FER_LOG__FORMAT": "console"}
    ended = run(tmp_path, ports() | keys | {name: f"{host}:18080"})
    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert last.startswith(f"Error: {name}: {host}:18080 ")
    assert words in last
    assert "Errno" not in ended.stderr


def test_bad_settings_are_a_line_of_json_where_the_log_is(tmp_path: Path) -> None:
    wrong = {"FER_LISTN": "x", "FER_INGRESS__MAX_DEPTH": "no"}
    for environ in (wrong, wrong | {"FER_LOG__FORMAT": "json"}, wrong | {"FER_LOG__FORMAT": "jsonn"}):
        ended = run(tmp_path, environ)
        assert ended.returncode == 2
        (line,) = map(json.loads, ended.stderr.splitlines())
        assert (line["event"], line["reason"]) == ("start_failed", "the settings have faults")
        assert {"FER_LISTN", "FER_INGRESS__MAX_DEPTH"} <= {fault.partition(":")[0] for fault in line["faults"]}
    ended = run(tmp_path, wrong | {"FER_LOG__FORMAT": "console"})
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (2, "The settings have 2 faults:")


def test_a_damaged_journal_is_set_aside_only_when_told_to(router: Program) -> None:
    with router:
        assert router.send().returncode == 0
        assert router.stop() == 0
    journal = router.folder / "data" / "journal.db"
    damaged = b"no database at all, " * 500
    journal.write_bytes(damaged)
    ended = run(router.folder, ports())
    assert ended.returncode == 1
    assert "--set-aside-damaged-journal" in ended.stderr
    assert journal.read_bytes() == damaged
    again = Program(router.folder, {})
    with again.log.open("ab") as log:
        child = subprocess.Popen(
            [PROGRAM, "run", "--set-aside-damaged-journal"], env=again.environ, cwd=again.folder, stdout=log, stderr=log
        )
    try:
        eventually(lambda: again.get("/readyz")[0] == 200, 20, again.tail)
        assert again.send().returncode == 0
    finally:
        child.terminate()
        assert child.wait(30) == 0, again.tail()
    assert damaged in [file.read_bytes() for file in (router.folder / "data").glob("journal.db*") if file != journal]


def test_a_healthy_journal_is_not_set_aside(router: Program) -> None:
    with router:
        assert router.send().returncode == 0
        assert router.stop() == 0
    journal = router.folder / "data" / "journal.db"
    with socket.create_server(("127.0.0.1", 0)) as taken:  # so that it ends by itself
        environ = ports() | {"FER_LISTEN": f"127.0.0.1:{taken.getsockname()[1]}"}
        ended = run(router.folder, environ, "--set-aside-damaged-journal")
    assert f"The journal at {journal} is not damaged; it is left as it is." in ended.stderr
    assert not list(journal.parent.glob("*damaged*"))


@pytest.mark.parametrize("below", ["", "/deeper"])
def test_a_data_folder_that_cannot_be_made_is_said_in_words(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("a file")
    _unusable(tmp_path, f"{tmp_path}/file{below}")


def test_a_data_folder_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    _unusable(tmp_path, "/proc/self")
    _unusable(tmp_path, "/proc/nowhere")


def _unusable(folder: Path, directory: str) -> None:
    ended = run(folder, ports() | {"FER_DATA_DIR": directory, "FER_LOG__FORMAT": "console"})
    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("Error: ")
    assert directory in last
    assert "FER_DATA_DIR" in last
    assert "Errno" not in last
    assert "Traceback" not in ended.stderr


def test_without_any_settings_it_serves_and_says_how_to_go_on(tmp_path: Path) -> None:
    """In an empty folder with the default ports, or, where they are taken, says so."""
    webhook, admin = free_ports(2)
    env = {"PATH": os.environ["PATH"]}
    defaults = hold(8080) and hold(9464)
    if not defaults:
        env |= {"FER_LISTEN": f"127.0.0.1:{webhook}", "FER_ADMIN__LISTEN": f"127.0.0.1:{admin}"}
    address = "127.0.0.1:8080" if defaults else f"127.0.0.1:{webhook}"
    log = tmp_path / "out"
    with log.open("wb") as out, (tmp_path / "err").open("wb") as err:
        child = subprocess.Popen([PROGRAM, "run"], env=env, cwd=tmp_path, stdout=out, stderr=err)
    try:
        eventually(lambda: "Ctrl-C" in log.read_text(), 20, (tmp_path / "err").read_text)
        sent = subprocess.run([PROGRAM, "send"], check=False, env=env, capture_output=True, text=True, timeout=30)
        assert sent.returncode == 0, sent.stdout + sent.stderr
    finally:
        child.terminate()
        assert child.wait(30) == 0
    said = log.read_text()
    assert f"http://{address}/webhook/event" in said
    assert "files: file" in said
    assert "data/" in said
    assert "no keys" in said
    assert "loopback only" in said
    assert "feishu-event-router send" in said
    assert (tmp_path / "data" / "journal.db").exists()
    assert len(in_files(tmp_path / "data")) == 5


def test_a_bad_line_of_an_env_file_is_told_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "bad.env").write_text("FER_LISTN=x\nno variable\n")
    ended = run(tmp_path, {}, "--env-file", str(tmp_path / "bad.env"))
    (line,) = map(json.loads, ended.stderr.splitlines())
    assert (ended.returncode, line["event"], len(line["faults"])) == (2, "start_failed", 2)
