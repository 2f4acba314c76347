"""Measures this router against others, in turns, on this machine: `make bench`, or `python benchmarks/run.py --help`."""

import argparse
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

import orjson

from benchmarks import backlog, machine, parts, pool, targets
from benchmarks.measuring import Run
from benchmarks.parts import SUBJECTS, Bench, say
from benchmarks.table import Target, runs_table, targets_table
from tests.broker.cluster import launch

PARTS = ("turns", "sustained", "paced", "backlog", "start")
FASTEST = 45_000
"""Requests a second that the pool has to last for."""


@dataclass
class Report:
    """Everything that was measured."""

    runs: dict[str, list[Run]] = field(default_factory=dict)
    others: dict[str, object] = field(default_factory=dict)
    targets: list[Target] = field(default_factory=list)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of 1 s, short parts: does it work?")
    parser.add_argument("--only", default="abcdefg", metavar="LETTERS", help="of what is compared in turns, such as bc")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--seconds", type=float, help="of each run in turns (3)")
    parser.add_argument("--rounds", type=int, help="of turns (3)")
    parser.add_argument("--sustained", type=float, metavar="SECONDS", help="of the long run (20)")
    parser.add_argument("--backlog", type=int, metavar="N", help="events to drain (1,000,000)")
    parser.add_argument("--starts", type=int, metavar="N", help="starts to time (5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")
    parser.add_argument("--folder", type=Path, help="where journals and files go (the system's temporary directory)")
    options = parser.parse_args()
    options.parts = options.parts.split(",")
    unknown = set(options.parts) - set(PARTS) | set(options.only) - SUBJECTS.keys()
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    full, quick = (3.0, 3, 20.0, 1_000_000, 5), (1.0, 1, 3.0, 50_000, 2)
    for name, value in zip(
        ("seconds", "rounds", "sustained", "backlog", "starts"), quick if options.quick else full, strict=True
    ):
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def measure_all(options: argparse.Namespace, bench: Bench) -> Report:
    """Every part that was asked for. One that breaks counts as a target missed, and the next goes on."""
    report = Report()

    def turns() -> None:
        for letter in options.only:
            report.runs[letter] = []
        parts.in_turns(bench, report.runs, options.rounds, options.seconds)
        report.targets += targets.ratio(report.runs)

    def sustained() -> None:
        run, found = parts.sustained(bench, options.sustained)
        report.runs["c, sustained"] = [run]
        report.targets += found

    def paced() -> None:
        _paced(report, bench, max(1.0, options.sustained / 2))

    def drained() -> None:
        report.others["backlog"], found = backlog.drained(bench, options.backlog)
        report.targets += found

    def started() -> None:
        report.others["starts"], found = parts.started(bench, options.starts)
        report.targets += found

    for name, part in zip(PARTS, (turns, sustained, paced, drained, started), strict=True):
        if name not in options.parts or (part is drained and not options.backlog):
            continue
        try:
            part()
        except RuntimeError as error:
            say(f"{name} FAILED: {error}")
            report.targets.append(Target(name, "works", str(error).splitlines()[0], met=False))
    report.targets.append(targets.none_wrong([run for runs in report.runs.values() for run in runs]))
    return report


def _paced(report: Report, bench: Bench, seconds: float) -> None:
    for letter in parts.PACED_MS:
        run, found = parts.paced(bench, letter, seconds)
        report.runs[f"{letter}, 500/s"] = [run]
        report.targets += found


def show(report: Report, cores: machine.Cores) -> None:
    where = (
        "ONE core for everything: each figure is a lower bound, and the ratios say little"
        if cores.shared
        else f"server on core {cores.server}; broker and load generator on core {cores.load}"
    )
    print(f"\nPython {platform.python_version()}, {platform.system()} {platform.machine()}; {where}.")
    print("Closed loop, 64 connections, distinct encrypted and signed events of 1 KB. Median (range).\n")
    names = {letter: f"({letter}) {subject.name}" for letter, subject in SUBJECTS.items()}
    print(runs_table({names.get(name, f"({name})"): runs for name, runs in report.runs.items()}))
    if "a" in report.runs:
        load = min(run.load.cpu_us for run in report.runs["a"])
        rate = max(run.rate for run in report.runs["a"])
        print(
            f"\nThe load generator takes {load:.0f} µs of its core a request: it could do {1e6 / load:,.0f}/s by itself,"
            f" {1e6 / load / max(1.0, rate):.1f} × what (a) answers."
        )
    print(f"\n{targets_table(report.targets)}")


def save(report: Report, file: Path) -> None:
    document = {
        "runs": {name: [asdict(run) for run in runs] for name, runs in report.runs.items()},
        "others": report.others,
        "targets": [asdict(target) for target in report.targets],
    }
    file.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def main() -> int:
    signal.signal(signal.SIGTERM, _exit)
    options = arguments()
    cores = machine.Cores()
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=options.folder))
    try:
        longest = max(options.seconds if "turns" in options.parts else 0.0, _sustained(options))
        count = int((longest + 1) * FASTEST)
        say(f"making {count:,} requests")
        now_ms = int(time.time() * 1000)
        requests = pool.make(folder / "requests", count, now_ms)
        plain = pool.make(folder / "plain", count, now_ms, pool.plain)
        os.sched_setaffinity(0, {cores.load})
        say("starting Kafka")
        with launch(small=False) as broker:
            report = measure_all(options, Bench(folder, cores, broker.bootstrap, requests, plain))
    except KeyboardInterrupt:
        say("interrupted; everything is ended")
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show(report, cores)
    if options.json:
        save(report, options.json)
    return 0 if all(target.met is not False for target in report.targets) else 1


def _sustained(options: argparse.Namespace) -> float:
    return options.sustained if "sustained" in options.parts else 1.0


def _exit(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
