"""Counting on the path of every event: plain numbers, made into metrics only when somebody asks for them.

All counting is done on the event loop's thread, so no lock is needed.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from router.telemetry.facts import Fact


class Tally:
    """How often something happened. Whoever counts often keeps it and adds to it."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Tallies(Collector):
    """All counters: a tally for each fact and its label values."""

    def __init__(self) -> None:
        self._facts: dict[Fact, dict[tuple[str, ...], Tally]] = {}

    def of(self, fact: Fact, values: tuple[str, ...]) -> Tally:
        """The tally of those label values, made at first use."""
        return self._facts.setdefault(fact, {}).setdefault(values, Tally())

    def collect(self) -> Iterable[CounterMetricFamily]:
        """What Prometheus reads."""
        for fact, tallies in list(self._facts.items()):
            family = CounterMetricFamily(f"fer_{fact.counter}", fact.help, labels=fact.labels)
            for values, tally in list(tallies.items()):
                family.add_metric(values, tally.count)
            yield family

    def describe(self) -> Iterable[CounterMetricFamily]:
        """Nothing beforehand: facts are told apart by the catalogue."""
        return ()


class Durations(Collector):
    """A histogram of seconds."""

    def __init__(self, name: str, help_: str, buckets: Sequence[float]) -> None:
        self._name, self._help, self._bounds = name, help_, tuple(buckets)
        self._counts = [0] * (len(buckets) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """What Prometheus reads: cumulative buckets."""
        total, buckets = 0, list[tuple[str, float]]()
        for bound, count in zip([*map(str, self._bounds), "+Inf"], self._counts, strict=True):
            total += count
            buckets.append((bound, total))
        family = HistogramMetricFamily(self._name, self._help)
        family.add_metric((), buckets, self._sum)
        yield family

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """The name, so that nothing else takes it."""
        return [HistogramMetricFamily(self._name, self._help)]
