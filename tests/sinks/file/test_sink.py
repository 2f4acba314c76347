import asyncio
import errno
import gzip
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import cramjam
import orjson
import pytest

from router.envelope import Envelope
from sinks.contract import DELIVERED, Delivered, SinkNotReadyError, Unavailable
from sinks.file import SINK
from sinks.file.encode import line
from sinks.file.settings import FileSettings
from sinks.file.sink import FileSink
from tests.doubles.disk import FailingDisk
from tests.doubles.envelopes import make_envelope
from tests.doubles.stepped import SteppedClock
from tests.doubles.waiting import until

DEADLINE = 10.0


def settings(root: Path, path: str = "{event_type}.jsonl", **values: object) -> FileSettings:
    return FileSettings.model_validate({"type": "file", "path": f"{root}/{path}", **values})


async def names_once_compressed(sink: FileSink, folder: Path) -> set[str]:
    """What the folder holds when the compression so far is done: its calls run one after another."""
    async with asyncio.timeout(DEADLINE):
        return await sink._compression.run(lambda: {path.name for path in folder.iterdir()})


async def test_nothing_is_delivered_before_it_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FailingDisk(monkeypatch)
    sink = FileSink("archive", settings(tmp_path))
    await sink.open()
    assert await sink.deliver([make_envelope(1)]) == [DELIVERED]
    assert disk.synced == [len(line(make_envelope(1)))]
    await sink.close()


async def test_after_a_failed_sync_all_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FailingDisk(monkeypatch)
    sink = FileSink("archive", settings(tmp_path, "x.jsonl"))
    await sink.open()
    await sink.deliver([make_envelope(1)])
    disk.syncs = [errno.EIO]
    batch = [make_envelope(2), make_envelope(3)]
    outcomes = await sink.deliver(batch)
    assert [(type(outcome), getattr(outcome, "reason", "")) for outcome in outcomes] == [
        (Unavailable, "disk_error")
    ] * 2
    assert (tmp_path / "x.jsonl").read_bytes() == line(make_envelope(1))
    assert await sink.deliver(batch) == [DELIVERED] * 2
    assert (tmp_path / "x.jsonl").read_bytes() == b"".join(line(make_envelope(n)) for n in (1, 2, 3))
    await sink.close()


async def test_outcomes_follow_the_events_of_a_failing_file(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").mkdir()
    sink = FileSink("archive", settings(tmp_path))
    await sink.open()
    batch = [make_envelope(n, type_=name) for n, name in enumerate(["good", "bad", "good", "bad"])]
    outcomes = await sink.deliver(batch)
    assert [type(outcome) for outcome in outcomes] == [Delivered, Unavailable] * 2
    assert isinstance(outcomes[1], Unavailable)
    assert outcomes[1].scope == sink.scope(batch[1]) == "bad.jsonl"
    await sink.close()


async def test_building_touches_nothing(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    sink = SINK.build("archive", settings(tmp_path / "root"))
    assert not (tmp_path / "root").exists()
    await sink.close()
    # Threads of earlier tests may end meanwhile.
    assert set(threading.enumerate()) <= before


async def test_a_folder_that_can_not_be_had_is_told_at_open(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    for root in (tmp_path / "plain", tmp_path / "plain/below"):
        with pytest.raises(SinkNotReadyError, match=r"plain.*: .*(folder|directory)"):
            await FileSink("archive", settings(root)).open()


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
async def test_closed_files_are_compressed_meanwhile(tmp_path: Path, compression: str) -> None:
    clock = SteppedClock()
    sink = FileSink("archive", settings(tmp_path, "x.jsonl", compression=compression, max_bytes=1), clock)
    await sink.open()
    events = [make_envelope(number) for number in range(4)]
    for event in events:
        assert await sink.deliver([event]) == [DELIVERED]
    suffix = ".gz" if compression == "gzip" else ".zst"
    packed = [tmp_path / f"x@20260131T235958Z-{count:04}.jsonl{suffix}" for count in (1, 2, 3)]
    assert await names_once_compressed(sink, tmp_path) == {"x.jsonl", *(path.name for path in packed)}
    unpack = gzip.decompress if compression == "gzip" else cramjam.zstd.decompress
    assert [bytes(unpack(path.read_bytes())) for path in packed] == [line(event) for event in events[:3]]
    await sink.close()


async def test_what_an_earlier_run_left_is_taken_up(tmp_path: Path) -> None:
    day = tmp_path / "2026-01-30"
    day.mkdir()
    (day / "a@20260130T100000Z-0001.jsonl").write_bytes(b'{"closed":1}\n')
    (day / "a@20260130T100000Z-0001.jsonl.gz.tmp").write_bytes(b"half")
    (day / "a.jsonl").write_bytes(b'{"live":1}\n{"torn')
    (day / "notes.txt").write_text("not ours")
    clock = SteppedClock()
    sink = FileSink("archive", settings(tmp_path, "{date}/{event_type}.jsonl", compression="gzip"), clock)
    await sink.open()
    earlier = "a@20260130T100000Z-0001.jsonl.gz"
    assert await names_once_compressed(sink, day) == {earlier, "a.jsonl", "notes.txt"}
    await sink.deliver([make_envelope(1)])
    clock.now += 400
    await sink.deliver([make_envelope(1)])
    closed = "a@20260201T000638Z-0001.jsonl.gz"
    assert await names_once_compressed(sink, day) == {earlier, closed, "notes.txt"}
    assert gzip.decompress((day / closed).read_bytes()) == b'{"live":1}\n'
    await sink.close()


async def test_a_long_compression_holds_up_no_close(tmp_path: Path) -> None:
    large = tmp_path / "x@20260131T235958Z-0001.jsonl"
    large.touch()
    os.truncate(large, 2 << 30)
    sink = FileSink("archive", settings(tmp_path, "x.jsonl", compression="gzip"))
    await sink.open()
    async with asyncio.timeout(5):
        await sink.close()
    assert large.exists()
    assert not large.with_name(large.name + ".gz").exists()


async def test_the_loop_goes_on_while_the_disk_is_stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, calls = threading.Event(), 0
    sync = os.fdatasync

    def slow(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        assert stuck.wait(DEADLINE)
        sync(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)
    sink = FileSink("archive", settings(tmp_path, "x.jsonl"))
    await sink.open()
    first = asyncio.create_task(sink.deliver([make_envelope(1)]))
    await until(lambda: calls == 1)
    first.cancel()
    await asyncio.wait([first])
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await sink.deliver([make_envelope(1)])
    stuck.set()
    assert await sink.deliver([make_envelope(2)]) == [DELIVERED]
    assert calls == 2, "deliveries given up while the disk was stuck were written later"
    assert (tmp_path / "x.jsonl").read_bytes() == line(make_envelope(1)) + line(make_envelope(2))
    await sink.close()


def read_ids(root: Path) -> list[str]:
    return [
        orjson.loads(text)["id"] for path in sorted(root.rglob("*.jsonl")) for text in path.read_bytes().splitlines()
    ]


_DELIVERING = """
import asyncio, sys
from sinks.file.sink import FileSink
from tests.sinks.file.test_sink import settings
from tests.doubles.envelopes import make_envelope
from pathlib import Path

async def main(start):
    sink = FileSink("archive", settings(Path(sys.argv[1]), max_bytes=50_000))
    await sink.open()
    while True:
        batch = [make_envelope(start + n, type_="ab"[n % 2], data={"text": "x" * 3000}) for n in range(10)]
        assert all(not hasattr(outcome, "reason") for outcome in await sink.deliver(batch))
        start += 10
        print(start, flush=True)

asyncio.run(main(int(sys.argv[2])))
"""


def test_killed_at_any_time_it_has_all_that_it_answered(tmp_path: Path) -> None:
    answered = start = 0
    for lines in (3, 17, 40):
        command = [sys.executable, "-c", _DELIVERING, str(tmp_path), str(start)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(lines):
                answered = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            answered = int(([b"", *process.stdout.read().split()][-1]) or answered)
        start = answered
    asyncio.run(_deliver_once(tmp_path, make_envelope(start, type_="a"), make_envelope(start, type_="b")))
    ids = read_ids(tmp_path)
    assert {f"event-{number}" for number in range(answered)} <= set(ids)


async def _deliver_once(root: Path, *events: Envelope) -> None:
    sink = FileSink("archive", settings(root))
    await sink.open()
    assert await sink.deliver(events) == [DELIVERED] * len(events)
    await sink.close()
