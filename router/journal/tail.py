"""The newest records in memory, bounded, for lanes at the head."""

from collections import deque
from collections.abc import Sequence

from router.envelope import Envelope
from router.journal.contract import Record

MAX_EVENTS = 2048
MAX_BYTES = 4 << 20


class Tail:
    """Records without a gap up to the head; the oldest commits are dropped whole."""

    def __init__(self, head: int, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        self._records: list[Record] = []
        self._start = 0
        self._commits: deque[tuple[int, int]] = deque()
        self._bytes = 0
        self.head = head
        self._max_events = max_events
        self._max_bytes = max_bytes

    def __len__(self) -> int:
        return len(self._records) - self._start

    def extend(self, first: int, envelopes: Sequence[Envelope]) -> None:
        """Add what a commit stored at `first` and following."""
        size = sum([len(envelope.json) for envelope in envelopes])
        self._records += map(Record._make, zip(range(first, first + len(envelopes)), envelopes, strict=True))
        self._commits.append((len(envelopes), size))
        self._bytes += size
        self.head = first + len(envelopes) - 1
        while self._bytes > self._max_bytes or len(self) > self._max_events:
            count, size = self._commits.popleft()
            self._start += count
            self._bytes -= size
        if self._start * 2 > len(self._records):
            del self._records[: self._start]
            self._start = 0

    def read(self, after: int, limit: int, max_bytes: int) -> list[Record] | None:
        """The next records, at least one if there is one; None when they are not all here."""
        if after >= self.head:
            return []
        begin = len(self._records) - (self.head - after)
        if begin < self._start:
            return None
        records = self._records[begin : begin + limit]
        return records if self._bytes <= max_bytes else cut(records, max_bytes)


def cut(records: list[Record], max_bytes: int) -> list[Record]:
    """The first of them that fit, at least one."""
    size = 0
    for i, record in enumerate(records):
        size += len(record.envelope.json)
        if size > max_bytes and i:
            return records[:i]
    return records
