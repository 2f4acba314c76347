"""Results as text: medians with ranges, and what was wanted beside what was reached."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from benchmarks.measuring import Run


@dataclass(slots=True)
class Target:
    """wanted: in words; met: None where it can't be told."""

    name: str
    wanted: str
    reached: str
    met: bool | None


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median (lowest-highest)."""
    middle = statistics.median(values)
    if len(values) == 1:
        return f"{middle:,.{digits}f}"
    return f"{middle:,.{digits}f} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"


COLUMNS: dict[str, tuple[Callable[[Run], float], int]] = {
    "answered/s": (lambda run: run.rate, 0),
    "delivered/s": (lambda run: run.delivered_rate, 0),
    "CPU µs": (lambda run: run.cpu, 1),
    "core": (lambda run: run.server_busy, 2),
    "p50 ms": (lambda run: run.load.p50, 2),
    "p99 ms": (lambda run: run.load.p99, 2),
    "RSS MB": (lambda run: run.rss, 0),
    "left": (lambda run: run.undelivered, 0),
    "load µs": (lambda run: run.load.cpu_us, 1),
    "not 200": (lambda run: sum(run.load.statuses.values()), 0),
}


def runs_table(results: dict[str, list[Run]]) -> str:
    """One row a subject."""
    rows = [
        [name, *(spread([read(run) for run in runs], digits) for read, digits in COLUMNS.values())]
        for name, runs in results.items()
        if runs
    ]
    return tabulate(rows, headers=["", *COLUMNS], disable_numparse=True, colalign=("left", *["right"] * len(COLUMNS)))


def targets_table(targets: Sequence[Target]) -> str:
    """What was wanted and what was reached."""
    marks = {True: "yes", False: "NO", None: "?"}
    rows = [[each.name, each.wanted, each.reached, marks[each.met]] for each in targets]
    return tabulate(rows, headers=["", "wanted", "reached", "met"], disable_numparse=True)


def median(runs: Sequence[Run], read: Callable[[Run], float]) -> float:
    """The middle one."""
    return statistics.median([read(run) for run in runs])
