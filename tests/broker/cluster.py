"""A real Apache Kafka, one or three nodes on 127.0.0.1, for tests and benchmarks.

`python -m tests.broker.cluster --prepare` fetches and makes all that is cached; `--serve [--port N]` runs one node.
"""

import argparse
import atexit
import base64
import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Self

from tests.broker import jvm, wire
from tests.broker.certificates import Certificates, issue
from tests.broker.jvm import BrokerError
from tests.broker.properties import PLAIN, SCRAM, SECURE, Node, render
from tests.doubles.making import made_once
from tests.doubles.ports import free_ports

__all__ = ["BrokerError", "Cluster", "launch", "prepare"]
_RUNNING: "set[Cluster]" = set()


class Cluster:
    """Running nodes. Nodes are numbered from 1. All methods block; `launch()` makes one, `close()` ends it."""

    def __init__(self, folder: Path, nodes: list[Node], certificates: Certificates | None, flags: tuple[str, ...]):
        self.folder = folder
        self.nodes = nodes
        self._certificates = certificates
        self._flags = flags
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def bootstrap(self) -> str:
        """The plain listeners of all nodes, as a client wants them."""
        return self.listeners("PLAINTEXT")

    @property
    def certificates(self) -> Certificates:
        """The PEM files of a cluster launched with secure=True."""
        assert self._certificates is not None, "launched without secure=True"
        return self._certificates

    def listeners(self, name: str) -> str:
        """The addresses of that listener on all nodes: PLAINTEXT, SASL_PLAINTEXT, SSL or SASL_SSL."""
        return ",".join(f"127.0.0.1:{node.ports[name]}" for node in self.nodes)

    def start(self, number: int = 1) -> None:
        """Start one node on its old data and ports. Doesn't wait for it."""
        command = [str(jvm.java()), *self._flags, *jvm.FLAGS, "-cp", jvm.classpath()]
        with self._log_file(number).open("ab") as log:
            self._processes[number] = subprocess.Popen(
                [*command, "kafka.Kafka", str(self.folder / f"server{number}.properties")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for pytest, which then ends the nodes
            )

    def write_properties(self, number: int) -> None:
        """Write the node's configuration, for its next start: its ports may be changed before."""
        text = render(self.nodes[number - 1], self.nodes, self._certificates)
        (self.folder / f"server{number}.properties").write_text(text)

    def move(self, number: int) -> None:
        """Give a node another port for its clients, from its next start on."""
        (self.nodes[number - 1].ports["PLAINTEXT"],) = free_ports(1)
        self.write_properties(number)

    def wait(self, seconds: float = 60) -> None:
        """Until every node started knows all of them. Raises BrokerError with the log's end."""
        deadline = time.monotonic() + seconds
        wanted = {number for number, process in self._processes.items() if process.returncode is None}
        for number in wanted:
            while not self._sees(number, wanted):
                if self._processes[number].poll() is not None:
                    raise BrokerError(f"Kafka node {number} ended during its start:\n{self.log(number)[-2000:]}")
                if time.monotonic() > deadline:
                    raise BrokerError(
                        f"Kafka node {number} is not ready after {seconds} s:\n{self.log(number)[-2000:]}"
                    )
                time.sleep(0.05)

    def _sees(self, number: int, wanted: set[int]) -> bool:
        try:
            return wanted <= wire.live_nodes(self.nodes[number - 1].ports["PLAINTEXT"])
        except OSError:
            return False

    def kill(self, number: int = 1) -> None:
        """End a node at once, as a crash would."""
        self._end(number, signal.SIGKILL)

    def stop(self, number: int = 1) -> None:
        """End a node in an orderly way."""
        self._end(number, signal.SIGTERM)

    def _end(self, number: int, how: signal.Signals) -> None:
        process = self._processes[number]
        process.send_signal(how)
        process.wait(30)

    def pause(self, number: int = 1) -> None:
        """Freeze a node: its sockets stay open, nothing answers. Returns once the last of its threads has stopped."""
        process = self._processes[number]
        process.send_signal(signal.SIGSTOP)
        if process.returncode is None:
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self, number: int = 1) -> None:
        """Let a frozen node go on."""
        self._processes[number].send_signal(signal.SIGCONT)

    def restore(self) -> None:
        """Let frozen nodes go on, start those that are away, and wait for all of them."""
        for node in self.nodes:
            if self._processes[node.id].poll() is None:
                self.resume(node.id)
            else:
                self.start(node.id)
        self.wait()

    def log(self, number: int = 1) -> str:
        """What a node has written."""
        return self._log_file(number).read_text(errors="replace")

    def _log_file(self, number: int) -> Path:
        return self.folder / f"node{number}.log"

    def close(self) -> None:
        """Kill what still runs and remove the data. Idempotent."""
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
                process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)
        _RUNNING.discard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def launch(nodes: int = 1, *, secure: bool = False, port: int | None = None, small: bool = True) -> Cluster:
    """Start a cluster and wait until it is ready. Raises BrokerError.

    secure: with listeners for SASL and TLS and an authorizer. port: of the first plain listener. small: little memory
    and a quick start rather than speed.
    """
    archive = made_once(jvm.archive_path(), _make_archive)
    sharing = (f"-XX:SharedArchiveFile={archive}", "-Xshare:auto")
    flags = (*sharing, *(jvm.SMALL if small else ("-Xms512m", "-Xmx1g")))
    return _launch(nodes, flags, secure=secure, port=port)


def _launch(nodes: int, flags: tuple[str, ...], *, secure: bool = False, port: int | None = None) -> Cluster:
    _end_with_us()
    folder = Path(tempfile.mkdtemp(prefix="test-kafka-"))
    listeners = ("CONTROLLER", *(SECURE if secure else PLAIN))
    members = [
        Node(i, folder / f"data{i}", dict(zip(listeners, free_ports(len(listeners)), strict=True)))
        for i in range(1, nodes + 1)
    ]
    if port is not None:
        members[0].ports["PLAINTEXT"] = port
    cluster = Cluster(folder, members, issue(folder / "certificates") if secure else None, flags)
    _RUNNING.add(cluster)
    try:
        _write_storage(cluster, secure=secure)
        for node in members:
            cluster.start(node.id)
        cluster.wait()
    except BaseException:
        cluster.close()
        raise
    return cluster


def _write_storage(cluster: Cluster, *, secure: bool) -> None:
    plain = Node(1, Path("/nowhere"), {"CONTROLLER": 1, "PLAINTEXT": 2})
    template = jvm.formatted(re.sub(r"(?m)^log\.dirs=.*\n", "", render(plain, [plain])), SCRAM if secure else ())
    for node in cluster.nodes:
        shutil.copytree(template, node.data)
        meta = node.data / "meta.properties"
        directory = "A" + base64.urlsafe_b64encode(os.urandom(16)).decode()[1:22]  # a leading "-" is not allowed
        text = re.sub(r"(?m)^node\.id=.*$", f"node.id={node.id}", meta.read_text())
        meta.write_text(re.sub(r"(?m)^directory\.id=.*$", f"directory.id={directory}", text))
        cluster.write_properties(node.id)


def _make_archive(target: Path) -> None:
    with _launch(1, (f"-XX:ArchiveClassesAtExit={target}", *jvm.SMALL)) as cluster:
        cluster.stop()
        if not target.exists():
            raise BrokerError(f"Java wrote no class archive:\n{cluster.log()[-2000:]}")


@functools.cache
def _end_with_us() -> None:
    """Nodes live in sessions of their own: end them also when this process ends by exit() or SIGTERM."""
    atexit.register(_close_all)
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _exit)


def _close_all() -> None:
    for cluster in list(_RUNNING):
        cluster.close()


def _exit(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def prepare() -> None:
    """Fetch and make everything cached, so that no test waits for it. Raises BrokerError."""
    with launch(secure=True):
        pass
    with launch():
        pass


def main() -> None:
    """Prepare, or serve one node in the foreground."""
    parser = argparse.ArgumentParser(description="A local Apache Kafka for tests.")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--prepare", action="store_true", help="fetch jars, format storage, make the class archive")
    action.add_argument("--serve", action="store_true", help="run one node until Ctrl-C")
    parser.add_argument("--port", type=int, help="port of the plain listener (default: a free one)")
    options = parser.parse_args()
    try:
        if options.prepare:
            prepare()
        else:
            _serve(options.port)
    except BrokerError as error:
        sys.exit(f"{error}")


def _serve(port: int | None) -> None:
    with launch(port=port, small=False) as cluster, contextlib.suppress(KeyboardInterrupt):
        print(cluster.bootstrap, flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
