import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dispatch.breaker import BUCKETS, MISSES_MAX, Breaker
from sinks.settings import BreakerSettings
from tests.doubles.stepped import SteppedClock

PART = 60 / BUCKETS


def breaker(**settings: float) -> tuple[Breaker, SteppedClock]:
    clock = SteppedClock()
    return Breaker(BreakerSettings.model_validate(settings), clock.monotonic), clock


def mixed(made: Breaker, delivered: int, failed: int) -> None:
    """Spread evenly, so that no long run of failures is among them."""
    both = delivered + failed
    for n in range(both):
        fails = (n + 1) * failed // both - n * failed // both
        made.record(1 - fails, fails)


def test_opens_at_the_share_and_not_below() -> None:
    one, _ = breaker(failure_rate=0.5, min_deliveries=20)
    mixed(one, 11, 9)
    assert not one.open
    one.record(0, 2)
    assert one.open
    assert one.why == "11 of 22 deliveries failed within 60 s"


def test_stays_closed_while_there_were_few_deliveries() -> None:
    one, _ = breaker(failure_rate=0.1, min_deliveries=50)
    for _ in range(7):
        mixed(one, 1, 6)
    assert not one.open
    one.record(0, 1)
    assert one.open


def test_a_run_of_failures_opens_it_whatever_the_share_is() -> None:
    one, _ = breaker(failure_rate=1)
    one.record(1000, MISSES_MAX - 1)
    assert not one.open
    assert one.misses == MISSES_MAX - 1
    one.record(0, 1)
    assert one.open
    assert one.why == "16 deliveries failed, none got through between"


def test_what_gets_through_ends_a_run() -> None:
    one, clock = breaker()
    for _ in range(100):
        clock.now += PART
        one.record(1, MISSES_MAX - 1)
    assert one.misses == MISSES_MAX - 1
    one.record(1, 0)
    assert one.misses == 0


def test_failures_before_what_got_through_are_no_run_but_count() -> None:
    one, _ = breaker(failure_rate=0.9, min_deliveries=50)
    one.record(1, MISSES_MAX - 1, before=MISSES_MAX + 1)
    assert not one.open
    one.record(1, 0, before=40)
    assert one.why == "72 of 74 deliveries failed within 60 s"


def test_a_run_has_no_end_in_time() -> None:
    one, clock = breaker()
    for _ in range(MISSES_MAX):
        assert not one.open
        clock.now += 3600
        one.record(0, 1)
    assert one.open


def test_stays_open_until_it_is_reset_and_begins_anew_then() -> None:
    one, clock = breaker(failure_rate=0.5, min_deliveries=10)
    mixed(one, 5, 5)
    assert one.open
    one.record(1000, 0)
    clock.now += 3600
    one.record(1000, 0)
    assert one.open
    one.reset()
    assert not one.open
    assert (one.why, one.misses) == ("", 0)
    mixed(one, 4, 5)
    assert not one.open
    one.record(0, 1)
    assert one.open


def test_what_is_older_than_the_window_counts_no_more() -> None:
    one, clock = breaker(failure_rate=0.5, min_deliveries=10)
    mixed(one, 5, 4)
    clock.now += 60
    one.record(0, 1)
    assert not one.open


@pytest.mark.parametrize("percent", [7, 10, 30, 35, 55, 70, 90])
def test_the_share_is_exact(percent: int) -> None:
    for made in range(100, 1001, 100):
        failed = made * percent // 100
        one, _ = breaker(failure_rate=percent / 100, min_deliveries=made)
        mixed(one, made - failed, failed)
        other, _ = breaker(failure_rate=percent / 100, min_deliveries=made)
        mixed(other, made - failed + 1, failed - 1)
        assert (one.open, other.open) == (True, False)


steps = st.lists(
    st.tuples(st.floats(0, 70) | st.just(0.0), st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=60
)


@given(steps, st.sampled_from([0.2, 0.5, 0.9, 1.0]), st.integers(2, 40), st.sampled_from([0.001, 1, 60, 7e4]))
def test_like_a_list_of_all_deliveries(
    given_steps: list[tuple[float, int, int]], share: float, least: int, seconds: float
) -> None:
    one, clock = breaker(failure_rate=share, min_deliveries=least, window_seconds=seconds)
    part = seconds / BUCKETS
    all_of_them: list[tuple[int, bool]] = []
    for pause, delivered, failed in given_steps:
        clock.now += pause * seconds / 60
        now = int(clock.now // part)
        all_of_them += [(now, True)] * delivered + [(now, False)] * failed
        one.record(delivered, failed)
        recent = [fine for at, fine in all_of_them if at > now - BUCKETS]
        run = next((n for n, (_, fine) in enumerate(reversed(all_of_them)) if fine), len(all_of_them))
        opens = len(recent) >= least and recent.count(False) / len(recent) >= share
        assert one.misses == run
        assert one.open == (opens or run >= MISSES_MAX)
        if one.open:
            assert one.why
            one.reset()
            all_of_them.clear()


@given(steps)
def test_a_long_life_costs_no_memory(given_steps: list[tuple[float, int, int]]) -> None:
    one, clock = breaker()
    for pause, delivered, failed in given_steps:
        clock.now += pause * 1e6
        one.record(delivered, failed)
    assert len(one._made) == len(one._failed) == BUCKETS
    assert one._sums == [sum(one._made), sum(one._failed)]
