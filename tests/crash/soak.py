"""`make soak`: the oracle, run after run with new seeds, as long as one wants.

MINUTES=10: how long; SEED=1,2: only these; SECONDS_EACH=12: of traffic in a run. Ends with 1 when a promise was broken.
"""

import asyncio
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from tests.broker.cluster import Cluster, launch
from tests.crash.oracle.checks import broken, copied
from tests.crash.oracle.facts import Facts
from tests.crash.oracle.plan import described, draw
from tests.crash.oracle.run import perform

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "build" / "soak"


@dataclass
class Outcome:
    """What a run came to. sinks: events taken; copies: of them; dead: dead letters; worst: slowest answer, seconds."""

    seed: int
    seconds: float = 0.0
    events: int = 0
    pushes: dict[str, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    deaths: dict[str, int] = field(default_factory=dict)
    sinks: dict[str, int] = field(default_factory=dict)
    copies: dict[str, int] = field(default_factory=dict)
    dead: dict[str, int] = field(default_factory=dict)
    worst: float = 0.0
    stolen: float = 0.0
    peak_mib: int = 0
    broken: list[str] = field(default_factory=list)
    folder: str = ""

    @property
    def line(self) -> str:
        """All of it in a line."""
        parts = [
            f"seed {self.seed}: {self.events} events, {_counts(self.pushes)}; answers {_counts(self.answers)}",
            f"faults {_counts(self.faults) or 'none'}; deaths {_counts(self.deaths)}",
            f"taken {_counts(self.sinks)}; copies {_counts(self.copies)}; dead {_counts(self.dead)}",
            f"worst answer {self.worst:.2f} s (machine {self.stolen:.2f} s), peak {self.peak_mib} MiB",
            f"{self.seconds:.0f} s: " + (f"{len(self.broken)} BROKEN" if self.broken else "kept"),
        ]
        return " | ".join(parts)


def run(seed: int, seconds: float, cluster: Cluster, folder: Path) -> Outcome:
    """One run in that folder. Raises what the harness itself failed at."""
    plan, begun = draw(seed, seconds), time.monotonic()
    outcome = Outcome(seed, faults=described(plan.faults), folder=str(folder))
    facts = asyncio.run(perform(plan, cluster, folder))
    _count(outcome, facts)
    outcome.seconds = time.monotonic() - begun
    outcome.broken = broken(facts)
    return outcome


def _count(outcome: Outcome, facts: Facts) -> None:
    for push in facts.pushes:
        outcome.pushes[push.kind] = outcome.pushes.get(push.kind, 0) + 1
        status = str(push.status or "none")
        outcome.answers[status] = outcome.answers.get(status, 0) + 1
        if push.status is not None:
            outcome.worst = max(outcome.worst, push.took)
    for death in facts.deaths:
        outcome.deaths[death.how] = outcome.deaths.get(death.how, 0) + 1
    for name in facts.arrivals:
        arrivals = facts.live(name)
        outcome.sinks[name] = len({arrival.serial for arrival in arrivals if arrival.accepted})
        outcome.copies[name] = copied(arrivals)
    for letter in facts.kept.letters:
        outcome.dead[letter.lane] = outcome.dead.get(letter.lane, 0) + 1
    outcome.events, outcome.peak_mib = len(facts.kept.events), facts.peak_rss >> 20
    outcome.stolen = facts.stolen(facts.begun, time.time())


def soak(seeds: Iterator[int], seconds: float, report: Callable[[list[Outcome]], None]) -> list[Outcome]:
    """Run after run, each told when it is over. Ctrl-C ends it in good order."""
    outcomes: list[Outcome] = []
    cluster = launch(3)
    try:
        for seed in seeds:
            folder = Path(tempfile.mkdtemp(prefix=f"soak-{seed}-"))
            try:
                outcome = run(seed, seconds, cluster, folder)
            except Exception as error:  # noqa: BLE001 - whatever it is: it is told, and the next run begins afresh
                outcome = Outcome(seed, folder=str(folder), broken=[f"the run failed: {error!r}"])
                cluster.close()
                cluster = launch(3)
            outcomes.append(outcome)
            _tell(outcome, seconds)
            report(outcomes)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    finally:
        cluster.close()
    return outcomes


def _tell(outcome: Outcome, seconds: float) -> None:
    print(outcome.line, flush=True)
    for words in outcome.broken:
        print(f"    {words}", flush=True)
    if outcome.broken:
        print(
            f"    again: make soak SEED={outcome.seed} SECONDS_EACH={seconds:g}; left in {outcome.folder}", flush=True
        )
    else:
        shutil.rmtree(outcome.folder)


def new_seeds(minutes: float) -> Iterator[int]:
    """Random ones until the time is over."""
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end:
        yield random.randrange(1 << 30)


def summary(outcomes: list[Outcome]) -> str:
    """Totals in words."""
    total: dict[str, Counter[str]] = {}
    for name in ("pushes", "answers", "faults", "deaths", "sinks", "copies", "dead"):
        total[name] = sum((Counter(getattr(outcome, name)) for outcome in outcomes), Counter())
    failed = [outcome for outcome in outcomes if outcome.broken]
    lines = [
        f"{len(outcomes)} runs, {sum(outcome.events for outcome in outcomes)} events stored",
        *(f"  {name}: {_counts(counts) or 'none'}" for name, counts in total.items()),
        f"  slowest answer {max((outcome.worst for outcome in outcomes), default=0):.2f} s",
        f"  most memory {max((outcome.peak_mib for outcome in outcomes), default=0)} MiB",
        f"  {len(failed)} runs broke a promise" + "".join(f"\n    {each.seed}: {each.folder}" for each in failed),
    ]
    return "\n".join(lines)


def _write(report: Path, outcomes: list[Outcome]) -> None:
    report.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1))


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def main() -> None:
    """Run, sum up, write the report."""
    given = os.environ.get("SEED")
    seeds = map(int, given.split(",")) if given else new_seeds(float(os.environ.get("MINUTES") or "10"))
    REPORT.mkdir(parents=True, exist_ok=True)
    report = REPORT / f"soak-{time.strftime('%Y%m%dT%H%M%S')}.json"
    seconds = float(os.environ.get("SECONDS_EACH") or "12")
    outcomes = soak(seeds, seconds, partial(_write, report))
    print(f"\n{summary(outcomes)}\n{report}")
    sys.exit(1 if any(outcome.broken for outcome in outcomes) else 0)


if __name__ == "__main__":
    main()
