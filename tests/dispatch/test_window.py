"""The window against a plain model: sets of positions."""

import sys
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from router.dispatch.window import Window


def _positions(ranges: list[tuple[int, int]]) -> set[int]:
    return {position for first, last in ranges for position in range(first, last + 1)}


@given(
    start=st.integers(0, 50),
    steps=st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.integers(0, 100)), max_size=60),
)
def test_position_and_ranges_say_what_is_settled(start: int, steps: list[tuple[int, bool, int]]) -> None:
    window, unsettled, read = Window(start), list[int](), {start}
    for gap, wanted, which in steps:
        at = max(read) + gap
        read.add(at)
        if wanted:
            window.add(at, f"t{at}")
            unsettled.append(at)
        else:
            window.skip(at)
        if unsettled and which < 60:
            window.settle(unsettled.pop(which % len(unsettled)))
        assert window.cursor == at
        assert len(window) == len(unsettled)
        assert window.position == (unsettled[0] - 1 if unsettled else at)
        assert window.oldest == (f"t{unsettled[0]}" if unsettled else None)
        above = _positions(window.settled())
        assert above & read == {position for position in read if position > window.position} - set(unsettled)
        assert window.settled() == sorted(window.settled())


@given(
    settled=st.lists(st.booleans(), max_size=60),
    upto=st.integers(0, 60),
    opened=st.sets(st.integers(1, 60), max_size=9),
)
def test_a_restart_forgets_nothing_that_was_settled_and_not_yet_read_again(
    settled: list[bool], upto: int, opened: set[int]
) -> None:
    done = {at for at, is_ in enumerate(settled, start=1) if is_}
    window = Window(0, [(at, at) for at in sorted(done)])
    for at in range(1, upto + 1):
        if window.settled_before(at) or at not in opened:
            window.skip(at)
        else:
            window.add(at, "")
    again = Window(window.position, window.settled())
    for at in range(window.position + 1, 80):
        expected = at in done or (at <= upto and at not in opened)
        assert again.settled_before(at) == expected, at


def test_settling_what_is_unknown_is_no_error() -> None:
    window = Window(7)
    window.settle(3)
    assert (window.position, window.settled(), window.oldest) == (7, [], None)


def test_one_slow_event_costs_nothing_however_much_is_settled_behind_it() -> None:
    window = Window(0)
    window.add(1, "slow")
    for at in range(2, 200_000):
        window.add(at, "")
        window.settle(at)
        window.skip(at)
    assert window.settled() == [(2, 199_999)]
    held = (window._open, window._done, *vars(window).values())
    assert sum(sys.getsizeof(part) for part in held) < 20_000


def test_first_in_first_out_stays_cheap() -> None:
    """A front found by walking over all that went before would take minutes here."""
    window, flying = Window(0), deque[int]()
    for at in range(1, 300_000):
        window.add(at, "")
        flying.append(at)
        if len(flying) > 4000:
            window.settle(flying.popleft())
            assert window.position == flying[0] - 1
