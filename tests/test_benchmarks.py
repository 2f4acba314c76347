"""Each part of the benchmark, for a fraction of a second: that it works, not how fast anything is."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from benchmarks import backlog, machine, measuring, parts, pool, run, subjects, table, targets
from benchmarks import kafka as brokers
from benchmarks.load import Client, Generator, Plan, whole
from benchmarks.programs import acknowledgement
from router.feishu import frames
from router.feishu.callback import Event, receive
from router.feishu.frames import Frame
from router.feishu.keys import Keyring
from tests.broker.cluster import Cluster

SECONDS = 0.3


@pytest.fixture(scope="module")
def requests(tmp_path_factory: pytest.TempPathFactory) -> pool.Pool:
    return pool.make(tmp_path_factory.mktemp("pool") / "requests", 20_000, int(time.time() * 1000))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> pool.Pool:
    return pool.make(tmp_path_factory.mktemp("pool") / "plain", 20_000, int(time.time() * 1000), pool.plain)


@pytest.fixture
def bench(kafka: Cluster, requests: pool.Pool, plain: pool.Pool, tmp_path: Path) -> parts.Bench:
    return parts.Bench(tmp_path, machine.Cores(), kafka.bootstrap, requests, plain, warm_seconds=0.1)


def test_requests_are_distinct_pushes_that_the_router_takes(requests: pool.Pool) -> None:
    keyring = Keyring([pool.ENCRYPT_KEY], [pool.TOKEN])
    ids = set()
    with requests.open() as mapped:
        for number in (0, 1, 2, 3, 4, 5, requests.events - 1):
            head, _, body = mapped[number * requests.size : (number + 1) * requests.size].partition(b"\r\n\r\n")
            lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
            result = receive(keyring, "", dict(lines), body, time.time())
            assert isinstance(result, Event)
            assert pool.number_of(result.envelope.id) == number
            ids.add(result.envelope.id)
    assert len(ids) == 7
    assert 900 < len(orjson.dumps(pool.push(0, 1700000000000))) < 1100


def test_programs_acknowledge_what_they_got() -> None:
    headers = (("type", "event"), ("message_id", "m" * 200), ("sum", "1"), ("seq", "0"))
    event = frames.encode(Frame(2**40, 2**60, 7, frames.DATA, headers, payload=b"{}" * 500))
    answer = frames.decode(acknowledgement(event))
    assert answer[:5] == frames.decode(event)[:5]
    assert frames.ack_code(answer) == 200


@pytest.mark.parametrize("letter", parts.SUBJECTS)
def test_each_subject_answers_everything(bench: parts.Bench, letter: str) -> None:
    run_ = bench.run(letter, SECONDS)
    assert run_.load.answered > 0
    assert run_.load.statuses == {}
    assert run_.rate > 0 < run_.cpu
    assert run_.load.p50 <= run_.load.p99 <= run_.load.worst
    assert not list(bench.folder.iterdir()), "a run leaves nothing behind"


def test_sustained_finds_every_event_in_kafka(bench: parts.Bench) -> None:
    run_, found = parts.sustained(bench, SECONDS)
    assert run_.load.sent >= run_.load.answered > 0
    missing, doubled = found[1:3]
    assert missing.met, missing.reached
    assert doubled.met, doubled.reached


def test_what_is_missing_in_kafka_is_seen(bench: parts.Bench) -> None:
    with bench.place() as place:
        run_ = bench.run_in(place, "c", SECONDS)
        sent = run_.load.sent
        counted = brokers.count(bench.bootstrap, place.topic, sent + 7, but=[sent])
        assert counted == brokers.Counted(sent, missing=6, doubled=0, foreign=0)


@pytest.mark.parametrize("letter", parts.PACED_MS)
def test_paced_keeps_the_rate(bench: parts.Bench, letter: str) -> None:
    run_, _ = parts.paced(bench, letter, 1.0)
    assert 400 < run_.rate < 600


def test_a_backlog_is_filled_and_drained(bench: parts.Bench) -> None:
    figures, found = backlog.drained(bench, 3000)
    assert figures["rate"] > 0 < figures["rss_peak"]
    assert len(found) == 2


def test_starts_are_timed(bench: parts.Bench) -> None:
    took, _ = parts.started(bench, 1)
    assert 0 < took[0] < subjects.START_SECONDS


def test_refusals_are_counted_and_shown(requests: pool.Pool, tmp_path: Path) -> None:
    cores = machine.Cores()
    place = subjects.Place(tmp_path, cores, "", "")
    with subjects.router(place, {"FER_APP__VERIFICATION_TOKEN": "another", **subjects.file_sink(place)}) as server:
        plan = measuring.plan_for(requests, server)
        plan.seconds, plan.warm_seconds, plan.connections = SECONDS, 0.0, 2
        run_ = measuring.measure(server, plan, tmp_path)
    assert run_.load.answered == 0
    assert run_.load.statuses == {"401": run_.load.sent}
    assert not targets.none_wrong([run_]).met


@pytest.mark.parametrize(
    ("data", "length"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 40),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{", 40),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 27),
        (b"HTTP/1.1 200 OK\r\nContent-Le", 0),
    ],
)
def test_the_end_of_an_answer(data: bytes, length: int) -> None:
    assert whole(data) == length


def test_an_answer_in_pieces_counts_once(requests: pool.Pool) -> None:
    generator = Generator(Plan(0, str(requests.file), requests.size, requests.events))
    counted: list[bytes] = []
    generator.answered = lambda client, status: counted.append(status)  # type: ignore[method-assign] # what it is told
    client = Client(generator)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    for piece in (answer, answer[:5], answer[5:30], answer[30:], answer):
        client.data_received(piece)
    assert counted == [b"200"] * 3


def test_a_child_ends_with_its_block(tmp_path: Path) -> None:
    def interrupted() -> Iterator[int]:
        with machine.process([sys.executable, "-c", "import time; time.sleep(60)"], {}, tmp_path / "log") as child:
            yield child.pid
            raise KeyboardInterrupt

    steps = interrupted()
    pid = next(steps)
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    assert not Path(f"/proc/{pid}").exists()


def test_median_and_range() -> None:
    assert table.spread([3.0, 1.0, 2.0], 1) == "2.0 (1.0-3.0)"
    assert table.spread([1234.0]) == "1,234"


def test_unknown_parts_are_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", "--parts", "turns,sustianed"])
    with pytest.raises(SystemExit):
        run.arguments()
    assert "sustianed" in capsys.readouterr().err


def test_help() -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/run.py", "--help"], cwd=machine.ROOT, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0
