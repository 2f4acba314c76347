"""A backlog: a journal filled while the sink was away, then drained.

`python -m benchmarks.backlog <data directory> <pool> <size> <count>` fills one, its lane `bus` registered before.
"""

import asyncio
import sys
import time
from collections import deque
from pathlib import Path

import orjson

from benchmarks import machine, subjects, targets
from benchmarks.parts import Bench, say
from benchmarks.pool import push
from benchmarks.table import Target
from router.clock import SystemClock
from router.commands.run import SWITCH_INTERVAL
from router.feishu.envelopes import Arrival, from_v2
from router.journal.sqlite import SqliteJournal
from router.settings.model import JournalSettings, Settings
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger

LANE = "bus"
AT_ONCE = 2000
FILL_SECONDS = 600.0
DRAIN_SECONDS = 300.0
POLL_SECONDS = 0.1


async def fill(directory: Path, count: int) -> None:
    """Append that many events."""
    telemetry = Telemetry(make_logger("warning", "json"))
    journal = SqliteJournal(Settings(data_dir=directory).journal_file, JournalSettings(), telemetry, SystemClock())
    await journal.open()
    await journal.register(LANE)
    now = time.time()
    pending: deque[asyncio.Future[object]] = deque()
    for number in range(count):
        made = push(number, int(now * 1000) + number // 20)
        pending.append(journal.append(from_v2(made, Arrival(orjson.dumps(made), now, ""))))  # type: ignore[arg-type] # a future of any result
        if len(pending) >= AT_ONCE:
            await pending.popleft()
    await asyncio.gather(*pending)
    await journal.close()


def drained(bench: Bench, count: int) -> tuple[dict[str, float], list[Target]]:
    """Fill, start the router, watch the lag fall and the memory."""
    with bench.place() as place:
        directory = place.folder / "data"
        directory.mkdir()
        say(f"filling a journal with {count:,} events")
        command = [sys.executable, "-m", "benchmarks.backlog", str(directory), str(count)]
        log = place.folder / "fill.log"
        with bench.cores.on(*bench.cores.all), machine.process(command, {}, log) as child:
            if child.wait(FILL_SECONDS):
                raise RuntimeError(f"the journal couldn't be filled:\n{log.read_text()[-2000:]}")
        with subjects.with_kafka(place) as server:
            found = _watch(server, count)
    say(f"drained {count:,} at {found['rate']:,.0f}/s, RSS {found['rss_begin']:.0f} to {found['rss_peak']:.0f} MB")
    memory = Target(
        "memory while draining",
        "< 40 MB more than at 1/10",
        f"{found['rss_begin']:.0f} MB, peak {found['rss_peak']:.0f} MB",
        found["rss_peak"] - found["rss_begin"] < 40,
    )
    return found, [targets.at_least(f"{count:,} from the backlog to Kafka", found["rate"], 60_000, "events/s"), memory]


def _watch(server: subjects.Server, count: int) -> dict[str, float]:
    """The rate is taken between the first tenth and the end, when the client is loaded and the topics are known."""
    tenth = ended = 0.0
    rss, behind = 0.0, count
    left = count
    deadline = time.monotonic() + DRAIN_SECONDS
    while left:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{left} of {count} events still undelivered after {DRAIN_SECONDS} s")
        time.sleep(POLL_SECONDS)
        left = server.undelivered(LANE)
        ended = time.monotonic()
        if not tenth and left <= count * 0.9:
            tenth, behind, rss = ended, left, machine.rss_mb(server.pid, peak=False)
    cpu = machine.cpu_seconds(server.pid)
    return {
        "rate": behind / max(ended - tenth, POLL_SECONDS),
        "rss_begin": rss,
        "rss_peak": machine.rss_mb(server.pid, peak=True),
        "cpu_us": cpu / count * 1e6,
    }


if __name__ == "__main__":
    sys.setswitchinterval(SWITCH_INTERVAL)
    asyncio.run(fill(Path(sys.argv[1]), int(sys.argv[2])))
