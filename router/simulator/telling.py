"""The account in words and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from router.simulator.account import Record, Report, State
from router.simulator.simulator import Simulator

FEW = 20


def summary(report: Report, seconds: float) -> Iterator[str]:
    """The totals, in a few lines."""
    rate = f"{report.events / seconds:,.0f}/s" if seconds > 0 else "-"
    failing = f", {report.failing:,} of them refused" if report.failing else ""
    waiting = f", {report.waiting:,} waiting for another attempt{failing}" if report.waiting else ""
    yield (
        f"{report.events:,} events in {seconds:.1f} s ({rate}): {report.accepted:,} accepted, {report.lost:,} lost{waiting}. "
        f"{report.attempts:,} attempts, {report.copies:,} of them copies; {report.late:,} answered too late."
    )
    for road, answers in report.answers.items():
        said = ", ".join(f"{answer}: {count:,}" for answer, count in answers.items())
        yield f"{road.replace('_', ' ')}: {said}"
    if report.max_ms:
        yield f"time to a 200: p50 {report.p50_ms:.1f} ms, p99 {report.p99_ms:.1f} ms, longest {report.max_ms:.1f} ms"
    if report.faults:
        yield "faults: " + ", ".join(f"{name}: {count:,}" for name, count in sorted(report.faults.items()))


def lines(simulator: Simulator) -> Iterator[str]:
    """A line for each of a few events; of many, for the first that were lost, refused or answered late."""
    found = list(simulator.account.records.values())
    if len(found) > FEW:
        found = [record for record in found if _troubled(record)]
    for record in found[:FEW]:
        answers = ", ".join(f"{attempt.answer} ({attempt.milliseconds:.1f} ms)" for attempt in record.attempts)
        yield f"{record.type:<44} {record.id:<33} {record.state.value}: {answers or 'not pushed yet'}"
    if len(found) > FEW:
        yield f"… and {len(found) - FEW:,} more; --json has them all"


def document(simulator: Simulator, *, events: bool) -> dict[str, Any]:
    """Everything as JSON. events: also each event by itself."""
    report = simulator.report()
    whole: dict[str, Any] = {
        **asdict(report),
        "good": report.good,
        "connections": simulator.connections(),
        "connected": simulator.long.connected,
        "late_acks": simulator.long.late_acks,
        "pings": simulator.long.pings,
    }
    if events:
        whole["each"] = [record.document() for record in simulator.account.records.values()]
    return whole


def _troubled(record: Record) -> bool:
    return record.failing or record.state is State.LOST or any(attempt.late for attempt in record.attempts)
