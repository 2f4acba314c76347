"""The queue against its one rule: events of a key go in order, and are in one running batch at a time."""

from hypothesis import given
from hypothesis import strategies as st

from router.dispatch.entry import Entry
from router.dispatch.queue import Queue
from tests.doubles.events import envelope


def entry(position: int, key: str | None = None, size: int = 0) -> Entry:
    return Entry(position, envelope(position, size=size), key, "")


def positions(batch: list[Entry]) -> list[int]:
    return [entry.position for entry in batch]


@given(
    keys=st.lists(st.sampled_from(["a", "b", "c", None]), max_size=40),
    dice=st.lists(st.integers(0, 99), max_size=120),
    within_batch=st.booleans(),
    concurrency=st.integers(1, 3),
    max_events=st.integers(1, 5),
)
def test_keeps_order_and_loses_nothing(
    keys: list[str | None], dice: list[int], within_batch: bool, concurrency: int, max_events: int
) -> None:
    queue = Queue(within_batch=within_batch, single=concurrency == 1)
    coming = [entry(at, key) for at, key in enumerate(keys)]
    running: list[list[Entry]] = []
    done: list[Entry] = []
    total = len(coming)
    for roll in dice + [50, 0] * (3 * total + 3):
        if roll < 20 and running:  # a batch ends; now and then a part of it comes back
            batch = running.pop(roll % len(running))
            gone = len(batch) if roll % 2 == 0 else roll % (len(batch) + 1)
            done += batch[:gone]
            queue.release(batch)
            queue.put_back(batch[gone:])
        elif roll < 60 and coming:
            queue.put(coming.pop(0))
        elif len(running) < concurrency and (batch := queue.take(max_events, 1 << 20)):
            assert len(batch) <= max_events
            own = [item.key for item in batch if item.key is not None]
            busy = {item.key for other in running for item in other}
            assert not busy & set(own)
            assert within_batch or len(own) == len(set(own))
            running.append(batch)
        assert len(queue) + len(done) + sum(map(len, running)) + len(coming) == total
    while running or len(queue) or coming:
        queue.put(coming.pop(0)) if coming else None
        batch = running.pop() if running else queue.take(max_events, 1 << 20)
        done += batch
        queue.release(batch)
    for key in ("a", "b", "c"):
        mine = [item.position for item in done if item.key == key]
        assert mine == sorted(mine)
    assert sorted(positions(done)) == list(range(total))
    assert queue.bytes == 0
    assert not queue._busy


def test_a_batch_has_its_limit_of_bytes_and_an_event_beyond_it_goes_alone() -> None:
    queue = Queue(within_batch=True)
    for at, size in enumerate((10, 10, 5000, 10)):
        queue.put(entry(at, "k", size))
    batches = [positions(queue.take(100, 2000)) for _ in range(1)]
    queue.release([entry(0, "k")])
    batches += [positions(queue.take(100, 2000))]
    queue.release([entry(0, "k")])
    batches += [positions(queue.take(100, 2000))]
    assert batches == [[0, 1], [2], [3]]


def test_an_event_that_is_to_go_alone_goes_alone() -> None:
    queue = Queue(within_batch=True, single=True)
    for at in range(4):
        queue.put(entry(at))
    next(item for item in queue if item.position == 1).alone = True
    assert [positions(queue.take(10, 1 << 20)) for _ in range(3)] == [[0], [1], [2, 3]]


def test_a_probe_takes_another_subject_and_leaves_the_rest_in_order() -> None:
    queue = Queue(within_batch=True)
    entries = [entry(0, "a"), entry(1, "a"), entry(2, "b"), entry(3, None), entry(4, "b")]
    for item in entries:
        queue.put(item)
    other = queue.take_other({entries[0]})
    assert other is entries[2]
    assert queue.take_other({entries[0], entries[2]}) is entries[3]
    assert queue.take_other({entries[0], entries[2]}) is None
    assert positions(list(queue)) == [0, 1, 4]
    assert queue.remove(entries[1])
    assert not queue.remove(entries[1])
    assert queue.bytes == entries[0].size + entries[4].size
