"""Events on their way to deliver(): who may go now, and who waits for an earlier one of its order key."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator

from router.dispatch.entry import Entry


class Queue:
    """First in, first out, but for one rule: an order key is in one running batch at a time.

    within_batch: a batch may hold several events of a key (the sink keeps order); otherwise one.
    single: only one batch runs at a time, so with within_batch there is nothing to keep apart.
    """

    def __init__(self, *, within_batch: bool, single: bool = False) -> None:
        self._within_batch = within_batch
        self._tracks = not (within_batch and single)
        self._ready: deque[Entry] = deque()
        self._busy: dict[str, deque[Entry] | None] = {}
        self._waiting = 0
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._ready) + self._waiting

    def put(self, entry: Entry) -> None:
        """Behind everything else."""
        self.bytes += entry.size
        self._ready.append(entry)

    def put_back(self, entries: Iterable[Entry]) -> None:
        """In front of everything else, in the order given."""
        returned = list(entries)
        self.bytes += sum(entry.size for entry in returned)
        self._ready.extendleft(reversed(returned))

    def take(self, max_events: int, max_bytes: int) -> list[Entry]:
        """The next batch, at least one event if any may go; its keys are busy until `release`.

        An event that is to go alone (`entry.alone`) goes alone.
        """
        batch: list[Entry] = []
        own: set[str] = set()
        size = 0
        while self._ready and len(batch) < max_events:
            entry = self._ready[0]
            if batch and (size + entry.size > max_bytes or entry.alone):
                break
            self._ready.popleft()
            key = entry.key if self._tracks else None
            if key is not None and self._blocked(key, own):
                self._wait(key, entry)
                self._waiting += 1
                continue
            if key is not None:
                self._busy.setdefault(key, None)
                own.add(key)
            batch.append(entry)
            size += entry.size
            if entry.alone:
                break
        self.bytes -= size
        return batch

    def release(self, batch: Iterable[Entry], still: Iterable[Entry] = ()) -> None:
        """The batch ended: those that waited for its keys are next. still: what goes on of it, and holds its keys."""
        if not self._tracks:
            return
        held = {entry.key for entry in still}
        for key in dict.fromkeys(entry.key for entry in batch):
            if key is None or key in held:
                continue
            waiting = self._busy.pop(key, None)
            if waiting:
                self._waiting -= len(waiting)
                self._ready.extendleft(reversed(waiting))

    def take_other(self, tried: Collection[Entry], *, parked: bool | None = None) -> Entry | None:
        """Take out the first event whose order key is none of theirs, for a probe.

        parked: True: one that comes from where events wait; False: one that doesn't; None: any.
        """
        keys = {entry.key for entry in tried if entry.key is not None}
        positions = {entry.position for entry in tried}  # one that is loaded again is another entry
        for at, other in enumerate(self._ready):
            if other.key in keys or other.position in positions:
                continue
            if parked in (None, other.parked is not None):
                del self._ready[at]
                self.bytes -= other.size
                return other
        return None

    def remove(self, entry: Entry) -> bool:
        """Take out that event if it is ready; whether it was."""
        try:
            self._ready.remove(entry)
        except ValueError:
            return False
        self.bytes -= entry.size
        return True

    def sift(self, leaves: Callable[[Entry], bool]) -> None:
        """Take out all those that are ready and leave."""
        ready, self._ready = self._ready, deque()
        for entry in ready:
            if leaves(entry):
                self.bytes -= entry.size
            else:
                self._ready.append(entry)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._ready)

    def _wait(self, key: str, entry: Entry) -> None:
        waiting = self._busy[key]
        if waiting is None:
            waiting = self._busy[key] = deque()
        waiting.append(entry)

    def _blocked(self, key: str, own: set[str]) -> bool:
        if key not in self._busy:
            return False
        # Behind one that waits already, even in a batch that holds the key itself.
        return not (self._within_batch and key in own and not self._busy[key])
