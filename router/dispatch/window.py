"""What a lane has read and not yet settled, and the low-water mark that follows from it."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence


class Window:
    """Positions come in ascending order and are settled in any order.

    cursor: the last position read. position: everything up to here is settled. Both in the journal's positions.
    Only what is unsettled is remembered, so that one slow event costs nothing however much is settled behind it.
    """

    def __init__(self, position: int, settled: Sequence[tuple[int, int]] = ()) -> None:
        self.cursor = position
        self._open: dict[int, str] = {}
        """Position and when it was stored, in ascending order."""
        self._done = sorted(settled)

    def __len__(self) -> int:
        return len(self._open)

    @property
    def resumed(self) -> bool:
        """Whether an earlier run of the lane has left anything settled above the low-water mark, not yet passed."""
        return bool(self._done)

    def settled_before(self, position: int) -> bool:
        """Whether an earlier run of the lane has settled it, above its low-water mark."""
        if not self._done:
            return False
        if position > self._done[-1][1]:
            self._done = []
            return False
        at = bisect_right(self._done, (position, 1 << 63)) - 1
        return at >= 0 and self._done[at][0] <= position <= self._done[at][1]

    def add(self, position: int, recorded: str) -> None:
        """It is read and unsettled. recorded: when it was stored, RFC 3339."""
        self.cursor = position
        self._open[position] = recorded

    def skip(self, position: int) -> None:
        """It is read and settled at once."""
        self.cursor = position

    def settle(self, position: int) -> None:
        """It left the window: delivered, parked or dead. Unknown positions (parked before) are no error."""
        self._open.pop(position, None)

    @property
    def position(self) -> int:
        """The low-water mark."""
        return next(iter(self._open)) - 1 if self._open else self.cursor

    @property
    def oldest(self) -> str | None:
        """When the oldest unsettled event was stored."""
        return next(iter(self._open.values())) if self._open else None

    def settled(self) -> list[tuple[int, int]]:
        """The settled positions above the low-water mark, as ranges (first, last).

        A range may span positions that the journal never gave out; they don't exist.
        """
        ahead = ((max(first, self.cursor + 1), last) for first, last in self._done if last > self.cursor)
        return [*self._between(), *ahead]

    def _between(self) -> Iterator[tuple[int, int]]:
        if not self._open:
            return
        positions = iter(self._open)
        previous = next(positions)
        for position in positions:
            if position - previous > 1:
                yield previous + 1, position - 1
            previous = position
        if self.cursor > previous:
            yield previous + 1, self.cursor
