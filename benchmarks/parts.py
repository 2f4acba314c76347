"""The measurements, one function each. All run on one broker and one pool of requests."""

import itertools
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from benchmarks import kafka, machine, subjects, targets
from benchmarks.measuring import Run, measure, plan_for
from benchmarks.pool import Pool
from benchmarks.table import Target

PACED_RATE = 500.0
PACED_MS = {"c": 5.0, "f": 20.0}


class Subject(NamedTuple):
    """letter → what it is, how it starts, the sink that has to have everything; plain: it takes pushes, not requests."""

    name: str
    start: subjects.Start
    sink: str
    plain: bool = False


SUBJECTS = {
    "a": Subject("aiohttp, a constant", subjects.constant, ""),
    "b": Subject("by hand, Kafka before 200", subjects.by_hand, ""),
    "c": Subject("router, Kafka", subjects.with_kafka, "bus"),
    "d": Subject("router, files", subjects.with_file, "archive"),
    "e": Subject("router, Kafka and a 200 ms receiver", subjects.with_slow, "bus"),
    "f": Subject("router, Kafka, long connection", subjects.over_connections, "bus", plain=True),
    "g": Subject("router, programs over long connections", subjects.with_programs, "team"),
}


@dataclass
class Bench:
    """What all parts share."""

    folder: Path
    cores: machine.Cores
    bootstrap: str
    pool: Pool
    plain: Pool
    warm_seconds: float = 1.0
    compression: str = "zstd"
    _runs: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def place(self) -> Iterator[subjects.Place]:
        """A folder and topics for one run, removed after it."""
        name = f"run{next(self._runs)}"
        folder = self.folder / name
        folder.mkdir()
        kafka.create(self.bootstrap, name)
        try:
            yield subjects.Place(folder, self.cores, self.bootstrap, name, self.compression)
        finally:
            kafka.delete(self.bootstrap, name)
            shutil.rmtree(folder)

    def run(self, letter: str, seconds: float) -> Run:
        """One run of a subject, closed loop."""
        with self.place() as place:
            return self.run_in(place, letter, seconds)

    def run_in(self, place: subjects.Place, letter: str, seconds: float, rate: float = 0.0) -> Run:
        """One run there. rate 0: closed loop."""
        subject = SUBJECTS[letter]
        with subject.start(place) as server:
            plan = plan_for(self.plain if subject.plain else self.pool, server)
            plan.seconds, plan.warm_seconds, plan.rate = seconds, self.warm_seconds, rate
            return measure(server, plan, place.folder, subject.sink)


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def in_turns(bench: Bench, results: dict[str, list[Run]], rounds: int, seconds: float) -> None:
    """Fill in the runs of each letter, one after the other, as often as asked. Two runs before warm the broker."""
    for letter in "bc":
        if letter in results:
            say(f"warming the broker with ({letter})")
            bench.run(letter, seconds)
    for number in range(1, rounds + 1):
        for letter, runs in results.items():
            run = bench.run(letter, seconds)
            runs.append(run)
            say(f"round {number}: ({letter}) {SUBJECTS[letter].name}: {describe(run)}")


def describe(run: Run) -> str:
    """One line."""
    load = run.load
    return (
        f"{run.rate:,.0f}/s, {run.cpu:.0f} µs, p50 {load.p50:.2f} ms, p99 {load.p99:.2f} ms, {run.undelivered} left"
        + (f", not 200: {load.statuses}" if load.statuses else "")
        + (" (ran out of requests)" if load.exhausted else "")
    )


def sustained(bench: Bench, seconds: float) -> tuple[Run, list[Target]]:
    """(c) for long: does delivery keep up, and is every event that was answered in Kafka?"""
    with bench.place() as place:
        run = bench.run_in(place, "c", seconds)
        say(f"sustained: {describe(run)}; now counting in Kafka")
        counted = kafka.count(bench.bootstrap, place.topic, run.load.sent, run.load.wrong)
    what = f"{seconds:g} s of (c)"
    return run, [
        targets.at_most(f"{what}: undelivered at the end", run.undelivered, 1000, "events"),
        Target(f"{what}: missing in Kafka", "0", f"{counted.missing} of {run.load.sent:,}", counted.missing == 0),
        Target(f"{what}: more than once in Kafka", "0", str(counted.doubled), counted.doubled == 0),
        targets.at_most(f"{what}: memory of the process", run.rss, 90, "MB"),
    ]


def paced(bench: Bench, letter: str, seconds: float) -> tuple[Run, list[Target]]:
    """500 events a second, whatever the answers do."""
    with bench.place() as place:
        run = bench.run_in(place, letter, seconds, PACED_RATE)
    say(f"paced ({letter}): {describe(run)}")
    name = f"({letter}) {PACED_RATE:g} events/s: p99 (p50 {run.load.p50:.2f} ms)"
    return run, [targets.at_most(name, run.load.p99, PACED_MS[letter], "ms", 2)]


def started(bench: Bench, times: int) -> tuple[list[float], list[Target]]:
    """Start of the process to the first request answered, with a Kafka sink."""
    took: list[float] = []
    for _ in range(times):
        with bench.place() as place:
            begin = time.monotonic()
            with subjects.with_kafka(place):
                took.append(time.monotonic() - begin)
    say(f"starts: {', '.join(f'{each:.2f} s' for each in took)}")
    return took, [targets.at_most("start to the first answer", statistics.median(took), 0.6, "s", 2)]
