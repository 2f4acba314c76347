"""Facts go in; log lines and metrics come out."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from structlog.typing import FilteringBoundLogger

from router.clock import Clock, SystemClock
from router.telemetry.facts import Fact
from router.telemetry.tallies import Durations, Tallies, Tally

BUCKETS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 1.8, 2.3, 3.0)


class Gauge(Protocol):
    """A reading taken when somebody asks: its label values and number."""

    def __call__(self) -> Iterable[tuple[tuple[str, ...], float]]:
        """All present label values with their readings."""


class Telemetry:
    """One per router. `emit` is cheap enough for the path of every event."""

    def __init__(self, logger: FilteringBoundLogger, clock: Clock | None = None) -> None:
        self.log = logger
        self.registry = CollectorRegistry()
        self._clock = clock or SystemClock()
        self._tallies = Tallies()
        self._counted: dict[tuple[Fact, tuple[str, ...]], Tally] = {}
        self._quiet: dict[tuple[Fact, tuple[str, ...]], tuple[float, int]] = {}
        """By fact and label values: when its time began, and how often it was to be written since."""
        self._levels = {name: logger.is_enabled_for(number) for name, number in LEVELS.items()}
        self.durable = Durations("fer_durable_seconds", "First byte of a push to durable.", BUCKETS)
        self.registry.register(self._tallies)
        self.registry.register(self.durable)

    def emit(self, fact: Fact, count: int = 1, **fields: Any) -> None:
        """Count the fact and write its line. Fields must hold no secret and no event content."""
        values = tuple(str(fields[name]) for name in fact.labels) if fact.labels else ()
        if fact.counter is not None:
            tally = self._counted.get((fact, values))
            if tally is None:
                tally = self._counted[fact, values] = self._tallies.of(fact, values)
            tally.count += count
        if fact.level is not None and self._levels[fact.level]:
            self._line(fact, values, fields)

    def tally(self, fact: Fact, **labels: str) -> Tally:
        """What counts this fact with these labels, for code that would emit it for every event. Writes no line."""
        return self._tallies.of(fact, tuple(labels[name] for name in fact.labels))

    def logs(self, fact: Fact) -> bool:
        """Whether the fact's line would be written; ask before building costly fields."""
        return fact.level is not None and self._levels[fact.level]

    def gauge(self, name: str, help_: str, labels: tuple[str, ...], read: Gauge) -> None:
        """Register a reading, taken at each scrape."""
        self.registry.register(_GaugeCollector(f"fer_{name}", help_, labels, read))

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def _line(self, fact: Fact, values: tuple[str, ...], fields: dict[str, Any]) -> None:
        if fact.every_seconds and not self._levels["debug"]:
            now = self._clock.monotonic()
            since, asked = self._quiet.get((fact, values), (float("-inf"), 0))
            if now - since < fact.every_seconds:
                self._quiet[fact, values] = (since, asked + 1)
                if asked >= fact.burst:
                    return
            else:
                self._quiet[fact, values] = (now, 1)
                if asked > fact.burst:
                    fields["suppressed"] = asked - fact.burst
        write: Callable[..., Any] = getattr(self.log, fact.level or "info")
        write(fact.name, **fields)


LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class _GaugeCollector(Collector):
    def __init__(self, name: str, help_: str, labels: tuple[str, ...], read: Gauge) -> None:
        self._args = (name, help_, labels)
        self._read = read

    def collect(self) -> Iterable[GaugeMetricFamily]:
        name, help_, labels = self._args
        family = GaugeMetricFamily(name, help_, labels=labels)
        for values, reading in self._read():
            family.add_metric(values, reading)
        yield family

    def describe(self) -> Iterable[GaugeMetricFamily]:
        name, help_, labels = self._args
        return [GaugeMetricFamily(name, help_, labels=labels)]
