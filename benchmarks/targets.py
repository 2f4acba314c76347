"""What this router is to reach, judged from the results."""

from collections.abc import Sequence

from benchmarks.measuring import Run
from benchmarks.table import Target, median


def ratio(results: dict[str, list[Run]]) -> list[Target]:
    """Against the handler by hand and against itself, as far as both were measured."""
    b, c, e = (results.get(letter, []) for letter in "bce")
    found: list[Target] = []
    if b and c:
        times = median(c, _rate) / max(1.0, median(b, _rate))
        found.append(Target("(c) against (b), to the answer", "≥ 1.20 ×", f"{times:.2f} ×", times >= 1.2))
        ours, theirs = median(c, _p99), median(b, _p99)
        found.append(Target("p99 of (c) against (b)", f"≤ {theirs:.1f} ms", f"{ours:.1f} ms", ours <= theirs))
    if c and e:
        times = median(e, _rate) / max(1.0, median(c, _rate))
        found.append(Target("(e) beside a slow sink, against (c)", "≥ 0.90 ×", f"{times:.2f} ×", times >= 0.9))
    for letter, road, read in (("f", "in", _rate), ("g", "out", _delivered)):
        if c and (runs := results.get(letter)):
            times = median(runs, read) / max(1.0, median(c, read))
            found.append(
                Target(f"({letter}) long connection {road}, against (c)", "≥ 0.50 ×", f"{times:.2f} ×", times >= 0.5)
            )
    return found


def at_most(name: str, value: float, limit: float, unit: str, digits: int = 0) -> Target:
    """Wanted: below the limit."""
    return Target(name, f"< {limit:g} {unit}", f"{value:,.{digits}f} {unit}", value < limit)


def at_least(name: str, value: float, limit: float, unit: str) -> Target:
    """Wanted: above the limit."""
    return Target(name, f"> {limit:,.0f} {unit}", f"{value:,.0f} {unit}", value > limit)


def none_wrong(runs: Sequence[Run]) -> Target:
    """Every answer of every run was a 200."""
    wrong = sum(sum(run.load.statuses.values()) for run in runs)
    return Target("answers that were no 200", "0", str(wrong), wrong == 0)


def _rate(run: Run) -> float:
    return run.rate


def _delivered(run: Run) -> float:
    return run.delivered_rate


def _p99(run: Run) -> float:
    return run.load.p99
