"""Lines that are shown, and those that are only counted."""

from router.simulator.notices import PER_SECOND, Notices
from tests.doubles.stepped import SteppedClock


def test_so_many_a_second_and_the_others_counted() -> None:
    shown: list[str] = []
    clock = SteppedClock()
    notices = Notices(shown.append, clock.monotonic)
    for number in range(PER_SECOND + 7):
        notices(str(number))
    assert shown == [str(number) for number in range(PER_SECOND)]
    clock.now += 1
    notices("next")
    assert shown[PER_SECOND:] == ["… 7 more of the kind", "next"]
    clock.now += 1
    notices("last")
    assert shown[PER_SECOND + 2 :] == ["last"]
