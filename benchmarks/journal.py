"""How fast the journal is on this disk: `python benchmarks/journal.py [directory]`.

Closed loop: `WAITERS` appends are out at any time, as with so many connections; "busy" keeps the event loop in Python
between them, as verifying and decrypting would.
"""

import asyncio
import hashlib
import resource
import sys
import tempfile
import time
from pathlib import Path

import orjson

from router.clock import SystemClock
from router.envelope import Envelope
from router.journal.contract import Settlement
from router.journal.sqlite import SqliteJournal
from router.settings.model import JournalSettings
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger

WAITERS = 64
PAYLOAD = "x" * 700


def envelope(number: int) -> Envelope:
    now = time.time_ns() // 1_000_000
    attributes = {
        "specversion": "1.0",
        "id": hashlib.md5(number.to_bytes(8, "big"), usedforsecurity=False).hexdigest(),
        "source": "feishu/cli_a1b2c3/tenant",
        "type": "corehr.department.updated_v2",
        "subject": f"d-{number % 1000}",
        "partitionkey": f"feishu/cli_a1b2c3/tenant/d-{number % 1000}",
        "time": "2026-01-01T00:00:00.000Z",
        "recordedtime": "2026-01-01T00:00:00.000Z",
        "datacontenttype": "application/json",
        "data": {"payload": PAYLOAD},
    }
    body = bytes(memoryview(orjson.dumps(attributes)))  # orjson leaves its buffer oversized: 4 KiB for 1
    return Envelope.from_document(attributes, body, now)


def journal(directory: Path) -> SqliteJournal:
    return SqliteJournal(
        directory / "journal.db", JournalSettings(), Telemetry(make_logger("warning", "json")), SystemClock()
    )


def spin(microseconds: float) -> None:
    end = time.perf_counter() + microseconds / 1e6
    while time.perf_counter() < end:
        pass


async def fill(book: SqliteJournal, seconds: float, spin_us: float, *, first: int) -> tuple[int, list[float], float]:
    times: list[float] = []
    numbers = iter(range(first, 1 << 60))
    end = time.perf_counter() + seconds
    cpu = time.process_time()

    async def client() -> None:
        while time.perf_counter() < end:
            event = envelope(next(numbers))
            if spin_us:
                spin(spin_us)
            begin = time.perf_counter()
            await book.append(event)
            times.append(time.perf_counter() - begin)

    await asyncio.gather(*[client() for _ in range(WAITERS)])
    return next(numbers), sorted(times), time.process_time() - cpu


async def drain(book: SqliteJournal, after: int) -> tuple[int, float]:
    begin, count = time.perf_counter(), 0
    while records := await book.read(after, 4000, 16 << 20):
        after, count = records[-1].position, count + len(records)
        _ = book.settle("bench", Settlement(after))
    return count, time.perf_counter() - begin


def append_cost(book: SqliteJournal, first: int) -> float:
    events = [envelope(number) for number in range(first, first + 2000)]
    begin = time.perf_counter()
    for event in events:
        _ = book.append(event)
    return (time.perf_counter() - begin) / len(events) * 1e6


async def main(directory: Path) -> None:
    book = journal(directory)
    await book.open()
    await book.register("bench")
    first = 0
    print(f"{'':34}{'rows/s':>9}{'CPU µs':>8}{'p50 ms':>8}{'p99 ms':>8}{'max ms':>8}{'RSS MB':>8}")
    for name, spin_us, seconds in (
        ("idle loop", 0, 3.0),
        ("busy loop (25 µs an event)", 25, 3.0),
        ("idle, again", 0, 5.0),
    ):
        first, times, cpu = await fill(book, seconds, spin_us, first=first)
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        middle, late, last = (times[int(len(times) * q)] * 1000 for q in (0.5, 0.99, 0.999999))
        rate, each = len(times) / seconds, cpu / len(times) * 1e6
        print(f"append, {name:26}{rate:9,.0f}{each:8.1f}{middle:8.2f}{late:8.2f}{last:8.2f}{rss:8}")
    print(f"append() itself: {append_cost(book, first):.2f} µs")
    count, took = await drain(book, 0)
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"read back {count:,} records: {count / took:,.0f}/s, {took / count * 1e6:.2f} µs each, RSS {rss} MB")
    log = directory / "journal.db-wal"
    print(f"log {log.stat().st_size / 1e6:.1f} MB, database {book.path.stat().st_size / 1e6:.0f} MB")
    await book.close()
    begin = time.perf_counter()
    book = journal(directory)
    await book.open()
    print(f"open after a clean end: {(time.perf_counter() - begin) * 1000:.0f} ms")
    await book.close()


if __name__ == "__main__":
    sys.setswitchinterval(0.0002)
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as place:
        asyncio.run(main(Path(place)))
