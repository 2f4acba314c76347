"""Crowds before the real program: idle, dripping, flooding, amid TLS handshakes. Good pushes are answered 200 all the same."""

import http.client
import os
import random
import resource
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from router.feishu.push import build
from tests.flow.feishu import ENVIRON, KEY, TOKEN, department
from tests.flow.program import Program, eventually
from tests.flow.targets import stored
from tests.hostile.attacks import MARK

CROWD = int(os.environ.get("HOSTILE_CROWD", "10000"))
SIEGE_SECONDS = float(os.environ.get("HOSTILE_SECONDS", "5"))
GROWTH_MIB = 200
"""What the program may grow by, whatever comes: 4096 connections, and unfinished requests of 64 MiB together."""
LOG_BYTES = 64 << 10

HEAD = b"POST /webhook/event HTTP/1.1\r\nHost: x\r\n"
NAME = f"X-{MARK}: {MARK}\r\n".encode()
DRIPS = [
    HEAD[:9],
    HEAD,
    HEAD + NAME,
    HEAD + b"Content-Length: 100000\r\n\r\nx",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;",
]
FLOODS = [
    (HEAD + NAME + b"Content-Length: 2\r\n\r\n{}") * 500,
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 500,
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 20_000,
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 100_000,
    HEAD + b"Content-Length: 1000000\r\n\r\n" + b"[" * 1_000_000,
    HEAD + b"Content-Length: 999999999\r\n\r\n" + b"x" * 100_000,
    HEAD + NAME * 5_000,
    b"\r\n" * 50_000,
    b"\x16\x03\x01\x02\x00" + bytes(100_000),
    MARK.encode() * 10_000,
]


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """As many sockets on our side as the crowd has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CROWD + 500
    assert hard == resource.RLIM_INFINITY or hard >= wanted, f"needs {wanted} open files: ulimit -Hn says {hard}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def limited(soft: int) -> list[str]:
    """A prefix for a program that starts with so few open files."""
    return ["sh", "-c", f'ulimit -Sn {soft}; exec "$@"', "sh"]


def peer(router: Program) -> socket.socket:
    made = socket.socket()
    made.settimeout(30)
    made.connect(("127.0.0.1", router.port))
    return made


@contextmanager
def crowd(router: Program, count: int, says: bytes = b"") -> Iterator[None]:
    """That many connections that say this and no more."""
    with ExitStack() as stack:
        for _ in range(count):
            member = stack.enter_context(peer(router))
            with suppress(OSError):  # it may have been ended already
                member.sendall(says)
        yield


def push(router: Program, number: int, tls: ssl.SSLContext | None = None) -> int:
    """The status of a good push. A busy disk may cost a 503, which Feishu's next push makes good, and nothing else."""
    end = time.monotonic() + 30
    while (status := push_once(router, number, tls)) == 503 and time.monotonic() < end:
        pass
    return status


def push_once(router: Program, number: int, tls: ssl.SSLContext | None) -> int:
    body, headers = build(department("d1", number), KEY, time.time())
    made = http.client.HTTPConnection("127.0.0.1", router.port, timeout=20)
    if tls is not None:
        made = http.client.HTTPSConnection("127.0.0.1", router.port, timeout=20, context=tls)
    try:
        made.request("POST", "/webhook/event", body, headers)
        return made.getresponse().status
    finally:
        made.close()


def memory(router: Program) -> float:
    """MiB resident."""
    pages = int(Path(f"/proc/{router.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / (1 << 20)


def peak(router: Program) -> float:
    """MiB resident at most, since it was started."""
    status = Path(f"/proc/{router.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@contextmanager
def steadfast(folder: Path, router: Program) -> Iterator[list[int]]:
    """A router that is attacked within: it doesn't grow, keeps only good pushes (their statuses go in here), says no secret."""
    with router:
        before = memory(router)
        answers: list[int] = [push(router, 0)]
        yield answers
        grown = peak(router) - before
        answers.append(push(router, 1_000_000))
        assert answers == [200] * len(answers), router.tail()
        assert grown < GROWTH_MIB, f"it grew by {grown:.0f} MiB"
        eventually(router.settled, 30, router.tail)
        assert router.metric("fer_worker_crashes_total") == 0, router.tail()
        assert router.stop() == 0
    assert sum(stored(folder / "data/journal.db").values()) == len(answers)
    log = router.log.read_text()
    assert len(log) < LOG_BYTES
    for text in (KEY, TOKEN, MARK, "Traceback"):
        assert text not in log, f"{text} is in the log"


@pytest.mark.parametrize("soft", [256, 20_000], ids=["few files", "many files"])
def test_a_crowd_of_idle_connections_keeps_nobody_out(tmp_path: Path, soft: int) -> None:
    count = CROWD if soft > CROWD else 5000
    router = Program(tmp_path, ENVIRON | {"FER_INGRESS__MAX_CONNECTIONS": "4096"}, prefix=limited(soft))
    with steadfast(tmp_path, router) as answers, crowd(router, count):
        answers += [push(router, number) for number in range(1, 20)]
        assert router.get("/readyz")[0] == 200
        assert router.metric("fer_refused_total", reason="too_many_connections") >= count - 4096
        assert 1 <= router.metric("fer_connections") <= 4096


def test_crowds_that_drip_keep_nobody_out(tmp_path: Path) -> None:
    router = Program(tmp_path, ENVIRON | {"FER_INGRESS__MAX_CONNECTIONS": "1000"})
    with steadfast(tmp_path, router) as answers, ExitStack() as stack:
        for says in DRIPS:
            stack.enter_context(crowd(router, 500, says))
            answers += [push(router, len(answers)) for _ in range(5)]
        assert router.metric("fer_refused_total", reason="too_many_connections") >= 1500


FAT = [
    HEAD + f"X-A: {'x' * 4000}\r\n".encode() * 60,
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + f"X-A: {'x' * 4000}\r\n".encode() * 60,
    HEAD + b"Content-Length: 1000000\r\n\r\n" + b"x" * 300_000,
]


def test_crowds_that_send_much_and_end_nothing_fill_no_memory(tmp_path: Path) -> None:
    router = Program(tmp_path, ENVIRON)
    with steadfast(tmp_path, router) as answers, ExitStack() as stack:
        for says in FAT:
            stack.enter_context(crowd(router, 1000, says))
            answers += [push(router, len(answers)) for _ in range(5)]
        assert router.metric("fer_refused_total", reason="too_much_unfinished") > 0


def flood(router: Program, end: threading.Event, rng: random.Random) -> None:
    """Connection after connection, each sending all it can; some read the answers, some reset."""
    while not end.is_set():
        with suppress(OSError), peer(router) as sender:
            data = rng.choice(FLOODS)
            sender.settimeout(1)
            sender.sendall(data[rng.randrange(100) :] if rng.random() < 0.3 else data)
            if rng.random() < 0.5:
                sender.shutdown(socket.SHUT_WR)
                while sender.recv(1 << 16):
                    pass


def test_floods_keep_nobody_out(tmp_path: Path) -> None:
    seed = int(os.environ.get("HOSTILE_SEED") or random.randrange(1 << 30))
    print(f"HOSTILE_SEED={seed}")
    router = Program(tmp_path, ENVIRON)
    end = threading.Event()
    with steadfast(tmp_path, router) as answers:
        floods = [threading.Thread(target=flood, args=(router, end, random.Random(seed + n))) for n in range(4)]
        for thread in floods:
            thread.start()
        try:
            until = time.monotonic() + SIEGE_SECONDS
            while time.monotonic() < until:
                answers.append(push(router, len(answers)))
        finally:
            end.set()
            for thread in floods:
                thread.join()
        eventually(lambda: router.metric("fer_connections") == 0, 30, router.tail)
        assert router.metric("fer_refused_total") > 0


def test_a_crowd_amid_its_handshakes_keeps_nobody_out(tmp_path: Path) -> None:
    authority = trustme.CA()
    cert = authority.issue_cert("127.0.0.1")
    cert.cert_chain_pems[0].write_to_path(tmp_path / "chain.pem")
    cert.private_key_pem.write_to_path(tmp_path / "key.pem")
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    tls = {"FER_TLS__CERT_FILE": str(tmp_path / "chain.pem"), "FER_TLS__KEY_FILE": str(tmp_path / "key.pem")}
    router = Program(tmp_path, ENVIRON | tls | {"FER_INGRESS__MAX_CONNECTIONS": "300"})
    with router:
        before = memory(router)
        with crowd(router, 1500), crowd(router, 500, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
            assert [push(router, number, trust) for number in range(10)] == [200] * 10
            assert router.metric("fer_connections") <= 300
            assert memory(router) - before < GROWTH_MIB
        assert router.stop() == 0
    assert sum(stored(tmp_path / "data/journal.db").values()) == 10


def test_the_admin_port_is_as_steadfast(tmp_path: Path) -> None:
    router = Program(tmp_path, ENVIRON)
    with steadfast(tmp_path, router) as answers:
        there = router.port
        router.port = router.admin
        with crowd(router, 1500), crowd(router, 300, HEAD):
            assert router.get("/healthz")[0] == 200
            for data in FLOODS:
                with suppress(OSError), peer(router) as sender:
                    sender.settimeout(1)
                    sender.sendall(data)
                assert router.get("/readyz")[0] == 200
        router.port = there
        answers.append(push(router, 1))
