from hypothesis import given
from hypothesis import strategies as st

from router.journal.contract import LaneNotes, LaneState
from router.journal.ranges import compact, includes, joined, reach

POSITION = st.integers(0, 12)
RANGE = st.tuples(st.integers(1, 15), st.integers(0, 4)).map(lambda pair: (pair[0], pair[0] + pair[1]))
EVERYTHING = range(1, 40)


def members(state: LaneState) -> set[int]:
    return {position for position in EVERYTHING if includes(state, position)}


def state(position: int, ranges: list[tuple[int, int]], started: int = 0) -> LaneState:
    return LaneState("bus", position, ranges, 0, 0, LaneNotes(started))


@given(POSITION, st.lists(RANGE, max_size=5))
def test_compact_is_the_same_set_in_the_fewest_ranges(position: int, ranges: list[tuple[int, int]]) -> None:
    mark, kept = compact(position, ranges)
    assert members(state(mark, kept)) == members(state(position, ranges))
    assert mark + 1 not in members(state(mark, kept))
    ends = [mark, *[edge for pair in kept for edge in pair]]
    assert all(first <= last for first, last in kept)
    assert all(later > sooner + 1 for sooner, later in zip(ends[::2], ends[1::2], strict=False))


@given(POSITION, st.lists(RANGE, max_size=5), st.integers(0, 5), st.integers(0, 6), st.lists(RANGE, max_size=5))
def test_what_was_settled_on_either_side_of_the_start_is_settled(
    position: int, ranges: list[tuple[int, int]], later: int, further: int, above: list[tuple[int, int]]
) -> None:
    earlier = state(position, ranges)
    started = reach(earlier, 0) + later
    successor = state(started + further, [(first + started, last + started) for first, last in above], started)
    both = joined(earlier, successor)
    assert members(both) == members(earlier) | {n for n in members(successor) if n > started}
    assert both.notes.started == 0


def test_reach_is_the_last_thing_told() -> None:
    assert reach(state(3, []), 0) == 3
    assert reach(state(3, [(5, 6), (9, 9)]), 7) == 9
    assert reach(state(3, [(5, 6)]), 7) == 7
