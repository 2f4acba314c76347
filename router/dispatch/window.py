"""What a lane has read and not yet settled, and the low-water mark that follows from it."""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence


class Window:
    """Positions come in ascending order and are settled in any order.

    cursor: the last position read. position: everything up to here is settled. Both in the journal's positions.
    """

    def __init__(self, position: int, settled: Sequence[tuple[int, int]] = ()) -> None:
        self.cursor = position
        self._read: deque[int] = deque()
        self._times: deque[str] = deque()
        self._open: set[int] = set()
        self._done = sorted(settled)

    def __len__(self) -> int:
        return len(self._open)

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
        self._read.append(position)
        self._times.append(recorded)
        self._open.add(position)

    def skip(self, position: int) -> None:
        """It is read and settled at once."""
        self.cursor = position
        if self._read:
            self._read.append(position)
            self._times.append("")

    def settle(self, position: int) -> None:
        """It left the window: delivered, parked or dead. Unknown positions (parked before) are no error."""
        self._open.discard(position)

    @property
    def position(self) -> int:
        """The low-water mark."""
        while self._read and self._read[0] not in self._open:
            self._read.popleft()
            self._times.popleft()
        return self._read[0] - 1 if self._read else self.cursor

    @property
    def oldest(self) -> str | None:
        """When the oldest unsettled event was stored."""
        return self._times[0] if self.position < self.cursor and self._times else None

    def settled(self) -> list[tuple[int, int]]:
        """The settled positions above the low-water mark, as ranges (first, last).

        A range may span positions that the journal never gave out; they don't exist.
        """
        if self.position == self.cursor:
            return []
        ranges: list[tuple[int, int]] = []
        previous_settled = False
        for position in self._read:
            settled = position not in self._open
            if settled and previous_settled:
                ranges[-1] = (ranges[-1][0], position)
            elif settled:
                ranges.append((position, position))
            previous_settled = settled
        return ranges + [span for span in self._done if span[1] > self.cursor]
