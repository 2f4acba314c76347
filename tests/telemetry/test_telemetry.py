import io
import json

import pytest

from router.telemetry import Telemetry
from router.telemetry.facts import Fact
from router.telemetry.logs import make_logger
from tests.doubles.stepped import SteppedClock

NOISY = Fact("noisy", "Noise.", "warning", "noise", ("reason",), every_seconds=10)
BURSTS = Fact("bursts", "Some at once.", "error", "bursts", ("sink",), every_seconds=10, burst=3)
PLAIN = Fact("plain", "Plain.", "debug", "plains")
UNCOUNTED = Fact("uncounted", "No metric.", "info")
SILENT = Fact("silent", "No line.", None, "silents", ("app",))


class Seen:
    def __init__(self, level: str = "info") -> None:
        self.out, self.clock = io.StringIO(), SteppedClock()
        self.telemetry = Telemetry(make_logger(level, "json", self.out), self.clock)

    @property
    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.getvalue().splitlines()]

    def count(self, name: str, **labels: str) -> float | None:
        return self.telemetry.registry.get_sample_value(f"fer_{name}_total", labels)


def test_a_fact_is_counted_and_written() -> None:
    seen = Seen("debug")
    seen.telemetry.emit(PLAIN, 3, event_ids=["a", "b", "c"])
    seen.telemetry.emit(PLAIN)
    seen.telemetry.emit(UNCOUNTED, port=1)
    seen.telemetry.emit(SILENT, app="hr")
    assert seen.count("plains") == 4
    assert seen.count("silents", app="hr") == 1
    assert [line["event"] for line in seen.lines] == ["plain", "plain", "uncounted"]
    assert seen.lines[0]["event_ids"] == ["a", "b", "c"]


def test_a_level_that_is_not_written_is_counted_all_the_same() -> None:
    seen = Seen("info")
    seen.telemetry.emit(PLAIN)
    assert not seen.telemetry.logs(PLAIN)
    assert seen.telemetry.logs(NOISY)
    assert not seen.telemetry.logs(SILENT)
    assert (seen.count("plains"), seen.lines) == (1, [])


def test_a_flood_is_written_once_in_a_while_with_the_number_left_out() -> None:
    seen = Seen()
    for _ in range(5):
        seen.telemetry.emit(NOISY, reason="a")
    seen.telemetry.emit(NOISY, reason="b")
    seen.clock.now += 9.9
    seen.telemetry.emit(NOISY, reason="a")
    seen.clock.now += 0.2
    seen.telemetry.emit(NOISY, reason="a")
    seen.clock.now += 11
    seen.telemetry.emit(NOISY, reason="a")
    assert [(line["reason"], line.get("suppressed")) for line in seen.lines] == [
        ("a", None),
        ("b", None),
        ("a", 5),
        ("a", None),
    ]
    assert seen.count("noise", reason="a") == 8


def test_of_a_flood_the_first_ones_are_written() -> None:
    seen = Seen()
    for number in range(8):
        seen.telemetry.emit(BURSTS, sink="a", number=number)
    seen.clock.now += 10.1
    for number in range(8, 10):
        seen.telemetry.emit(BURSTS, sink="a", number=number)
    seen.clock.now += 10.1
    seen.telemetry.emit(BURSTS, sink="a", number=10)
    written = [(line["number"], line.get("suppressed")) for line in seen.lines]
    assert written == [(0, None), (1, None), (2, None), (8, 5), (9, None), (10, None)]
    assert seen.count("bursts", sink="a") == 11


def test_at_level_debug_nothing_is_left_out() -> None:
    seen = Seen("debug")
    for _ in range(5):
        seen.telemetry.emit(NOISY, reason="a")
    assert len(seen.lines) == 5


def test_a_label_left_out_is_a_mistake_that_shows() -> None:
    with pytest.raises(KeyError, match="reason"):
        Seen().telemetry.emit(NOISY)


def test_gauges_are_read_when_somebody_asks() -> None:
    seen, readings = Seen(), {"a": 1.0}
    seen.telemetry.gauge("depth", "Depth.", ("sink",), lambda: [((name,), n) for name, n in readings.items()])
    assert b'fer_depth{sink="a"} 1.0' in seen.telemetry.exposition()
    readings.update(a=2.0, b=3.0)
    page = seen.telemetry.exposition()
    assert b'fer_depth{sink="a"} 2.0' in page
    assert b'fer_depth{sink="b"} 3.0' in page
    assert b"fer_durable_seconds_bucket" in page


def test_label_values_are_escaped() -> None:
    seen = Seen()
    seen.telemetry.emit(SILENT, app='a"b\\c\nd')
    assert rb'fer_silents_total{app="a\"b\\c\nd"} 1.0' in seen.telemetry.exposition()
