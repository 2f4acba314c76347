"""One run: a server, the load generator on it, and what both took."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from benchmarks import machine
from benchmarks.load import Plan, Result
from benchmarks.pool import Pool
from benchmarks.subjects import Server

DELIVERY_SECONDS = 60.0
POLL_SECONDS = 0.02


@dataclass(slots=True)
class Run:
    """One measurement. Rates are a second, CPU is µs an event, memory MB.

    rate: to the answer; delivered_rate: to the end of delivery; undelivered: when the last answer was given;
    server_busy: share of its core; load_cpu: of the load generator, a request.
    """

    load: Result
    rate: float
    delivered_rate: float
    undelivered: int
    cpu: float
    server_busy: float
    rss: float


def measure(server: Server, plan: Plan, folder: Path, sink: str = "") -> Run:
    """Run the plan against the server, then wait until that sink has everything (no sink: don't wait)."""
    with _load(server, plan, folder) as child:
        _line(child, folder, "begin")
        used, begin = machine.cpu_seconds(server.pid), time.monotonic()
        before = server.undelivered(sink)
        _line(child, folder, "end")
        end, spent = time.monotonic(), machine.cpu_seconds(server.pid) - used
        undelivered = server.undelivered(sink)
        result = Result(**orjson.loads(_line(child, folder, "{")))
    delivered_at = _delivered(server, sink) if sink else end
    cpu = machine.cpu_seconds(server.pid) - used
    return Run(
        load=result,
        rate=result.answered / result.seconds,
        delivered_rate=(result.answered + before) / (delivered_at - begin),
        undelivered=undelivered,
        cpu=cpu / max(1, result.answered) * 1e6,
        server_busy=spent / (end - begin),
        rss=machine.rss_mb(server.pid, peak=True),
    )


@contextmanager
def _load(server: Server, plan: Plan, folder: Path) -> "Iterator[subprocess.Popen[str]]":
    """The load generator at work."""
    line = orjson.dumps(asdict(plan)).decode()
    if server.feishu is not None:
        assert server.feishu.stdin is not None
        server.feishu.stdin.write(line + "\n")
        server.feishu.stdin.flush()
        yield server.feishu
        return
    command = [sys.executable, "-m", "benchmarks.load", line]
    with machine.process(command, {}, folder / "load.log", talks=True) as child:
        yield child


def plan_for(pool: Pool, server: Server) -> Plan:
    """The defaults: closed loop, 64 connections."""
    return Plan(server.port, str(pool.file), pool.size, pool.events)


def _delivered(server: Server, sink: str) -> float:
    deadline = time.monotonic() + DELIVERY_SECONDS
    while server.undelivered(sink):
        if time.monotonic() > deadline:
            raise RuntimeError(f"sink {sink} still lacks {server.undelivered(sink)} events after {DELIVERY_SECONDS} s")
        time.sleep(POLL_SECONDS)
    return time.monotonic()


def _line(child: "subprocess.Popen[str]", folder: Path, wanted: str) -> str:
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line.startswith(wanted):
        said = "".join(log.read_text()[-2000:] for log in folder.glob("*.log") if log.stem in ("load", "feishu"))
        raise RuntimeError(f"the load generator failed:\n{said}{line}")
    return line
