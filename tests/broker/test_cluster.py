import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.broker import jvm, wire
from tests.broker.cluster import BrokerError, Cluster

ROOT = Path(__file__).resolve().parents[2]


def test_a_session_node_is_ready(kafka: Cluster) -> None:
    assert wire.live_nodes(int(kafka.bootstrap.split(":")[1])) == {1}


def test_three_nodes_know_each_other_and_one_can_go_and_come_back(kafka_three: Cluster) -> None:
    first = int(kafka_three.bootstrap.split(",")[0].split(":")[1])
    assert wire.live_nodes(first) == {1, 2, 3}
    kafka_three.kill(3)
    deadline = time.monotonic() + 30
    while wire.live_nodes(first) != {1, 2}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    kafka_three.start(3)
    kafka_three.wait()
    assert wire.live_nodes(first) == {1, 2, 3}


def test_no_java_is_a_clear_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerError, match=r'no "java" on PATH \(install a JRE'):
        jvm.java()


def test_an_old_java_is_a_clear_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerError, match=r"Java 17\+, found 11\.0\.2 at"):
        jvm.java()


def test_serving_prints_the_address_and_sigterm_leaves_no_broker() -> None:
    serving = subprocess.Popen(
        [sys.executable, "-m", "tests.broker.cluster", "--serve"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with serving:
        assert serving.stdout is not None
        port = int(serving.stdout.readline().split(":")[1])
        assert wire.live_nodes(port) == {1}
        os.kill(serving.pid, signal.SIGTERM)
        assert serving.wait(30) == 128 + signal.SIGTERM
    with pytest.raises(OSError, match="refused"):
        wire.live_nodes(port)
