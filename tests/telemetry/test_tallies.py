import random

from prometheus_client import CollectorRegistry, generate_latest

from router.telemetry.facts import Fact
from router.telemetry.tallies import Durations, Tallies

FACT = Fact("counted", "Counted.", None, "counted", ("app",))


def test_a_tally_is_the_same_for_the_same_labels_and_shows_in_the_exposition() -> None:
    registry, tallies = CollectorRegistry(), Tallies()
    registry.register(tallies)
    tallies.of(FACT, ("hr",)).count += 2
    tallies.of(FACT, ("hr",)).count += 1
    tallies.of(FACT, ("it",))
    text = generate_latest(registry).decode()
    assert 'fer_counted_total{app="hr"} 3.0' in text
    assert 'fer_counted_total{app="it"} 0.0' in text


def test_durations_are_cumulative_buckets_with_sum_and_count() -> None:
    registry, durations = CollectorRegistry(), Durations("fer_x_seconds", "X.", (0.1, 1.0))
    registry.register(durations)
    seen = [random.Random(1).uniform(0, 2) for _ in range(100)] + [0.1, 1.0]
    for seconds in seen:
        durations.observe(seconds)
    assert registry.get_sample_value("fer_x_seconds_bucket", {"le": "0.1"}) == sum(s <= 0.1 for s in seen)
    assert registry.get_sample_value("fer_x_seconds_bucket", {"le": "1.0"}) == sum(s <= 1.0 for s in seen)
    assert registry.get_sample_value("fer_x_seconds_bucket", {"le": "+Inf"}) == len(seen)
    assert registry.get_sample_value("fer_x_seconds_count") == len(seen)
    assert abs((registry.get_sample_value("fer_x_seconds_sum") or 0) - sum(seen)) < 1e-9
