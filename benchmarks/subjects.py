"""What is measured, each as a process of its own on the server's core."""

import contextlib
import http.client
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import feishu, machine, programs
from benchmarks.pool import ENCRYPT_KEY, PATH, TOKEN
from tests.doubles.ports import free_ports
from tests.flow.program import PROGRAM

START_SECONDS = 30.0
SLOW_SECONDS = 0.2


@dataclass(slots=True)
class Server:
    """A running one. lag: events a sink has not settled, by sink; nothing for those that keep none.

    feishu: the load generator, where it has to be there before; it waits for its plan.
    """

    pid: int
    port: int
    lag: Callable[[], dict[str, int]] = field(default=dict)
    feishu: "subprocess.Popen[str] | None" = None

    def undelivered(self, sink: str) -> int:
        """Events stored and not yet settled by that sink."""
        return self.lag().get(sink, 0)


@dataclass(frozen=True, slots=True)
class Place:
    """Where things go. topic: prefix of this run's Kafka topics, so that each run has its own."""

    folder: Path
    cores: machine.Cores
    bootstrap: str
    topic: str
    compression: str = "zstd"


Start = Callable[[Place], contextlib.AbstractContextManager[Server]]


@contextmanager
def _python(module: str, place: Place, environ: Mapping[str, str]) -> Iterator[Server]:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", module]
    log = place.folder / f"{module}.log"
    with contextlib.ExitStack() as stack:
        with place.cores.on(place.cores.server):
            child = stack.enter_context(machine.process(command, {"PORT": str(port), **environ}, log))
        wait_until(lambda: status(port, PATH) > 0, child.poll, log)
        yield Server(child.pid, port)


def constant(place: Place) -> contextlib.AbstractContextManager[Server]:
    """(a) aiohttp answering a constant."""
    return _python("benchmarks.constant", place, {})


def by_hand(place: Place) -> contextlib.AbstractContextManager[Server]:
    """(b) a handler that produces before it answers."""
    environ = {
        "BOOTSTRAP": place.bootstrap,
        "TOPIC": place.topic + ".{event_type}",
        "ENCRYPT_KEY": ENCRYPT_KEY,
        "TOKEN": TOKEN,
        "COMPRESSION": place.compression,
    }
    return _python("benchmarks.by_hand", place, environ)


def kafka_sink(place: Place) -> dict[str, str]:
    """Settings of a Kafka sink named bus."""
    return {
        "FER_SINK__BUS__TYPE": "kafka",
        "FER_SINK__BUS__BOOTSTRAP_SERVERS": place.bootstrap,
        "FER_SINK__BUS__TOPIC": place.topic + ".{event_type}",
        "FER_SINK__BUS__COMPRESSION": place.compression,
    }


def file_sink(place: Place) -> dict[str, str]:
    """Settings of a file sink named archive."""
    path = place.folder / "archive" / "{event_type}.jsonl"
    return {"FER_SINK__ARCHIVE__TYPE": "file", "FER_SINK__ARCHIVE__PATH": str(path)}


@contextmanager
def router(place: Place, sinks: Mapping[str, str]) -> Iterator[Server]:
    """The real program with those sinks, ready."""
    port, admin = free_ports(2)
    names = sorted({name.split("__")[1].lower() for name in sinks if name.startswith("FER_SINK__")})
    environ = {
        "FER_LISTEN": f"127.0.0.1:{port}",
        "FER_ADMIN__LISTEN": f"127.0.0.1:{admin}",
        "FER_DATA_DIR": str(place.folder / "data"),
        "FER_DRAIN__ACCEPT_SECONDS": "0",
        "FER_DRAIN__LANES_SECONDS": "1",
        "FER_APP__ENCRYPT_KEY": ENCRYPT_KEY,
        "FER_APP__VERIFICATION_TOKEN": TOKEN,
        "FER_LOG__FORMAT": "json",
        "FER_SINKS": ",".join(names),
        **sinks,
    }
    log = place.folder / "router.log"
    with contextlib.ExitStack() as stack:
        with place.cores.on(place.cores.server):
            child = stack.enter_context(machine.process([PROGRAM, "run"], environ, log))
        wait_until(lambda: status(port, PATH) > 0, child.poll, log)
        yield Server(child.pid, port, lambda: lags(admin))


@contextmanager
def with_kafka(place: Place) -> Iterator[Server]:
    """(c) this router and Kafka."""
    with router(place, kafka_sink(place)) as server:
        yield server


@contextmanager
def with_file(place: Place) -> Iterator[Server]:
    """(d) this router and files."""
    with router(place, file_sink(place)) as server:
        yield server


@contextmanager
def with_slow(place: Place) -> Iterator[Server]:
    """(e) this router, Kafka, and an HTTP receiver that takes 200 ms a request, on the other core."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "benchmarks.slow_receiver"]
    log = place.folder / "receiver.log"
    slow = {"FER_SINK__TEAM__TYPE": "http", "FER_SINK__TEAM__URL": f"http://127.0.0.1:{port}/"}
    with machine.process(command, {"PORT": str(port), "SECONDS": str(SLOW_SECONDS)}, log) as child:
        wait_until(lambda: status(port, "/") > 0, child.poll, log)
        with router(place, kafka_sink(place) | slow) as server:
            yield server


@contextmanager
def over_connections(place: Place) -> Iterator[Server]:
    """(f) this router and Kafka, events coming over long connections."""
    (port,) = free_ports(1)
    log = place.folder / "feishu.log"
    app = {"MODE": "long_connection", "APP_ID": feishu.APP_ID, "APP_SECRET": feishu.APP_SECRET}
    app |= {"DOMAIN": f"http://127.0.0.1:{port}", "CONNECTIONS": str(feishu.CONNECTIONS)}
    settings = {f"FER_APP__{name}": value for name, value in app.items()}
    with machine.process([sys.executable, "-m", "benchmarks.feishu"], {"PORT": str(port)}, log, talks=True) as child:
        wait_until(lambda: status(port, "/") > 0, child.poll, log)
        with router(place, kafka_sink(place) | settings) as server:
            server.feishu = child
            yield server


@contextmanager
def with_programs(place: Place) -> Iterator[Server]:
    """(g) this router, events going on to programs that are connected to it."""
    (port,) = free_ports(1)
    sink = {"TYPE": "feishu_ws", "APP_ID": programs.APP_ID, "APP_SECRET": programs.APP_SECRET}
    sink |= {"IN_FLIGHT": str(programs.IN_FLIGHT)}
    settings = {f"FER_SINK__TEAM__{name}": value for name, value in sink.items()}
    log = place.folder / "programs.log"
    command = [sys.executable, "-m", "benchmarks.programs"]
    with (
        router(place, settings | {"FER_WS__LISTEN": f"127.0.0.1:{port}"}) as server,
        machine.process(command, {"PORT": str(port)}, log, talks=True) as child,
    ):
        assert child.stdout is not None
        if child.stdout.readline() != "ready\n":
            raise RuntimeError(f"the programs don't connect:\n{log.read_text(errors='replace')[-2000:]}")
        yield server


def status(port: int, path: str) -> int:
    """What a GET is answered with; 0 when nobody does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def lags(admin: int) -> dict[str, int]:
    """Events each sink has not settled, as the admin port has it now."""
    connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=30)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    return {
        name: int(float(value))
        for name, value in re.findall(r'^fer_lag_events\{sink="(\w+)"\} (\S+)', text, re.MULTILINE)
    }


def wait_until(fact: Callable[[], bool], ended: Callable[[], int | None], log: Path) -> None:
    """Until the fact is one. Raises RuntimeError with the log's end when the process has ended or takes too long."""
    end = time.monotonic() + START_SECONDS
    while not fact():
        if ended() is not None or time.monotonic() > end:
            raise RuntimeError(f"it didn't start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.002)
