from router.dispatch import parking
from router.dispatch.entry import Entry
from router.dispatch.ledger import Ledger
from router.dispatch.parking import CHUNK, Parking
from router.dispatch.queue import Queue
from router.journal.contract import Parked
from tests.doubles.events import envelope
from tests.doubles.journal import MemoryJournal
from tests.doubles.stepped import SteppedClock


class Lot:
    def __init__(self) -> None:
        self.journal, self.clock = MemoryJournal(), SteppedClock()
        self.ledger = Ledger("s", self.journal)
        self.parking = Parking("s", lambda event: event.type, self.journal, self.ledger, self.clock)
        self.queue = Queue(within_batch=True)

    def park(self, count: int, key: str, scope: str = "", due: float = 0.0) -> None:
        for _ in range(count):
            position = self.journal.head + 1
            _ = self.journal.append(envelope(position, type_=scope or "t"))
            due_ms = int((self.clock.now + due) * 1000)
            self.journal.parked.setdefault("s", {})[position] = Parked(position, key, scope, due_ms=due_ms)

    async def load(self) -> list[Entry]:
        await self.parking.load_due(self.queue)
        batch = self.queue.take(10_000, 1 << 30)
        self.queue.release(batch)
        return batch


async def test_after_a_restart_the_first_of_a_key_comes_alone_then_the_others_in_order() -> None:
    lot = Lot()
    lot.park(5, "k", due=10)
    await lot.parking.restore(300)
    assert (lot.parking.holds.parked, await lot.load()) == (5, [])
    lot.clock.now += 11
    [first] = await lot.load()
    assert first.parked is not None
    lot.parking.ended(first.parked, gone=True)
    assert [entry.position for entry in await lot.load()] == [2, 3, 4, 5]


async def test_a_wall_clock_that_stepped_back_delays_nothing_beyond_the_longest_delay() -> None:
    lot = Lot()
    lot.park(1, "k", due=1e9)
    await lot.parking.restore(300)
    lot.clock.now += 301
    assert len(await lot.load()) == 1


async def test_a_scope_is_probed_with_two_subjects_and_then_comes_in_chunks() -> None:
    lot = Lot()
    lot.park(3, "x\na", "x")
    lot.park(CHUNK, "x\nb", "x")
    await lot.parking.restore(300)
    await lot.parking.load_due(lot.queue)
    assert [(entry.position, entry.alone) for entry in lot.queue] == [(1, True), (4, True)]
    lot.parking.holds.scopes["x"].failed = False
    for entry in list(lot.queue):
        lot.queue.remove(entry)
        assert entry.parked is not None
        lot.parking.ended(entry.parked, gone=True)
    assert len(await lot.load()) == CHUNK


async def test_what_is_parked_while_an_empty_scope_is_looked_into_is_not_forgotten() -> None:
    lot = Lot()
    lot.park(1, "x\na", "x")
    await lot.parking.restore(300)
    lot.journal.parked["s"].clear()
    lot.parking.holds.scopes["x"].count = 0
    read = lot.journal.read_parked

    async def late(*args: object, **kwargs: object) -> object:
        rows = await read(*args, **kwargs)  # type: ignore[arg-type]
        lot.parking.park_in_scope(Entry(1, envelope(1, type_="x"), "x\na", "x"), "x")
        lot.journal.read_parked = read  # type: ignore[method-assign]
        return rows

    lot.journal.read_parked = late  # type: ignore[method-assign, assignment]
    assert await lot.load() == []
    assert not lot.parking.holds.scopes["x"].half_open
    assert [entry.position for entry in await lot.load()] == [1]


async def test_not_everything_is_loaded_at_once() -> None:
    lot = Lot()
    for n in range(parking.LOADED_MAX + 500):
        lot.park(1, f"k{n}")
    await lot.parking.restore(300)
    assert len(await lot.load()) == parking.LOADED_MAX
    assert await lot.load() == []
    assert lot.parking.next_due(lot.queue) is None
