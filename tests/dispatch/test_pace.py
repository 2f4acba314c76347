from router.dispatch.pace import LIVE_EVENTS, LIVE_SECONDS, PACE_SECONDS, Pace
from tests.doubles.stepped import SteppedClock


def test_batches_are_short_while_pushes_come_and_full_afterwards() -> None:
    clock = SteppedClock()
    pace = Pace(1000, clock.monotonic)
    assert pace.most(7) == LIVE_EVENTS
    clock.now += LIVE_SECONDS
    assert pace.most(7) == 1000
    assert pace.most(8) == LIVE_EVENTS
    assert Pace(5, clock.monotonic).most(1) == 5


def test_a_batch_waits_for_more_to_join_unless_it_is_full_or_time_is_up() -> None:
    clock = SteppedClock()
    pace = Pace(1000, clock.monotonic)
    assert not pace.holds(1, 300), "after a pause the first event goes at once"
    pace.launched()
    assert pace.holds(1, 300)
    assert not pace.holds(300, 300)
    assert not pace.holds(0, 300)
    assert 0 < pace.left <= PACE_SECONDS
    clock.now += PACE_SECONDS
    assert pace.left == 0
    assert not pace.holds(1, 300)


def test_a_sink_that_takes_single_events_is_not_held_up() -> None:
    pace = Pace(1, SteppedClock().monotonic)
    pace.launched()
    assert not pace.holds(1, 1)
