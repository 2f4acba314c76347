"""Sets of positions as a low-water mark and ranges above it. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from router.journal.contract import LaneState

Ranges = list[tuple[int, int]]


def includes(state: LaneState, position: int) -> bool:
    """Whether the lane has settled it, parked it or made a dead letter of it."""
    return position <= state.position or any(first <= position <= last for first, last in state.settled)


def reach(state: LaneState, parked: int) -> int:
    """The last position that the lane has told of; `parked`: its last parked one, 0 when it has none."""
    return max(state.position, parked, *[last for _, last in state.settled])


def joined(earlier: LaneState, later: LaneState) -> LaneState:
    """One cursor of two, when `later` started where `earlier` had not come yet: name and notes are the later one's, but
    for where it began, and it is paused if either was. Parked and dead are for the caller to count."""
    start = later.notes.started
    above = [(start + 1, later.position), *[(max(first, start + 1), last) for first, last in later.settled]]
    ranges = [*earlier.settled, *[(first, last) for first, last in above if first <= last]]
    position, settled = compact(earlier.position, ranges)
    notes = replace(later.notes, started=earlier.notes.started, paused=earlier.notes.paused or later.notes.paused)
    return LaneState(later.name, position, settled, 0, 0, notes)


def compact(position: int, ranges: Sequence[tuple[int, int]]) -> tuple[int, Ranges]:
    """The same set with the highest mark and the fewest ranges."""
    kept: Ranges = []
    for first, last in sorted(ranges):
        if first <= position + 1:
            position = max(position, last)
        elif kept and first <= kept[-1][1] + 1:
            kept[-1] = (kept[-1][0], max(kept[-1][1], last))
        else:
            kept.append((first, last))
    return position, kept
