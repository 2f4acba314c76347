import sys
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dispatch.rate import Rate
from tests.doubles.stepped import SteppedClock


def rate(per_second: float) -> tuple[Rate, SteppedClock]:
    clock = SteppedClock()
    return Rate(per_second, clock.monotonic), clock


@pytest.mark.parametrize("per_second", [0.0, inf])
def test_without_a_limit_everything_goes(per_second: float) -> None:
    bucket, _ = rate(per_second)
    bucket.spend(10**12)
    assert bucket.allowed() == sys.maxsize
    assert bucket.wait() == 0.0


def test_a_burst_is_what_goes_in_a_second_and_then_it_is_even() -> None:
    bucket, clock = rate(10)
    assert bucket.allowed() == 10
    bucket.spend(10)
    assert bucket.allowed() == 0
    assert bucket.wait() == pytest.approx(0.1)
    clock.now += 0.101
    assert bucket.allowed() == 1
    clock.now += 3600
    assert bucket.allowed() == 10


def test_less_than_one_a_second_is_one_at_a_time() -> None:
    bucket, clock = rate(0.1)
    assert bucket.allowed() == 1
    bucket.spend(1)
    assert bucket.wait() == pytest.approx(10)
    clock.now += 9
    assert bucket.allowed() == 0
    clock.now += 1.01
    assert bucket.allowed() == 1


def test_a_batch_that_was_larger_is_waited_for() -> None:
    bucket, _ = rate(10)
    bucket.spend(35)
    assert bucket.allowed() == 0
    assert bucket.wait() == pytest.approx(2.6)


rates = st.floats(0.01, 1e6)


@given(rates, st.lists(st.tuples(st.floats(0, 30), st.integers(0, 5000)), max_size=30))
def test_at_no_time_more_than_the_rate_and_one_burst(per_second: float, steps: list[tuple[float, int]]) -> None:
    bucket, clock = rate(per_second)
    sent: list[tuple[float, int]] = []
    for pause, wish in steps:
        clock.now += pause
        count = min(wish, bucket.allowed())
        bucket.spend(count)
        sent.append((clock.now, count))
        for at, (since, _) in enumerate(sent):
            most = max(1.0, per_second) + per_second * (clock.now - since)
            assert sum(events for _, events in sent[at:]) <= most * (1 + 1e-6)


def test_nobody_is_told_to_wait_for_less_than_a_clock_can_show() -> None:
    bucket, clock = rate(1e9)
    bucket.spend(10**9)
    before = clock.now
    clock.now += bucket.wait()
    assert clock.now > before


@given(rates, st.lists(st.integers(0, 2000), max_size=20), st.floats(0, 1e8))
def test_who_waits_as_told_may_go_then_and_not_much_later(per_second: float, spent: list[int], start: float) -> None:
    """However large the clock's numbers are: who waits comes to an end, in a few steps."""
    clock = SteppedClock()
    clock.now = start
    bucket = Rate(per_second, clock.monotonic)
    for count in spent:
        bucket.spend(count)
    began, naps = clock.now, 0
    while nap := bucket.wait():
        assert bucket.allowed() == 0
        clock.now += nap
        naps += 1
        assert naps < 5
    assert bucket.allowed() >= 1
    assert clock.now - began <= (sum(spent) + 1) / per_second + 0.01


@given(rates, st.integers(1, 50))
def test_the_whole_rate_is_used_when_there_is_enough_to_do(per_second: float, batch: int) -> None:
    bucket, clock = rate(per_second)
    began, sent = clock.now, 0
    for _ in range(200):
        clock.now += bucket.wait()
        count = min(batch, bucket.allowed())
        bucket.spend(count)
        sent += count
    assert sent >= min(200, per_second * (clock.now - began) - 1)
