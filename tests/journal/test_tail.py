from hypothesis import given
from hypothesis import strategies as st

from router.journal.contract import Record
from router.journal.tail import Tail, cut
from tests.doubles.envelopes import make_envelope

EVENT = make_envelope(1)
SIZE = len(EVENT.json)


@given(
    commits=st.lists(st.integers(1, 20), max_size=30),
    max_events=st.integers(1, 50),
    behind=st.integers(-3, 60),
    limit=st.integers(1, 50),
)
def test_gives_what_follows_or_says_that_it_has_not_all(
    commits: list[int], max_events: int, behind: int, limit: int
) -> None:
    tail = Tail(10, max_events, 1 << 30)
    head = 10
    for count in commits:
        tail.extend(head + 1, [EVENT] * count)
        head += count
        assert len(tail) <= max_events
        assert len(tail._records) <= 2 * max_events + 20
    assert tail.head == head
    after = head - behind
    found = tail.read(after, limit, 1 << 30)
    if after >= head:
        assert found == []
    elif after >= head - len(tail):
        assert found == [Record(n, EVENT) for n in range(after + 1, min(head, after + limit) + 1)]
    else:
        assert found is None


def test_is_bounded_by_bytes() -> None:
    tail = Tail(0, 1000, 10 * SIZE)
    for n in range(100):
        tail.extend(2 * n + 1, [EVENT, EVENT])
    assert len(tail) == 10
    assert len(tail._records) <= 20


def test_a_commit_larger_than_the_bounds_is_left_to_the_disk() -> None:
    tail = Tail(0, 3, 1 << 30)
    tail.extend(1, [EVENT] * 5)
    assert len(tail) == 0
    assert tail.read(0, 10, 1 << 30) is None
    assert tail.read(5, 10, 1 << 30) == []


def test_cuts_by_bytes_but_gives_one() -> None:
    records = [Record(n, EVENT) for n in range(5)]
    assert len(cut(records, 3 * SIZE)) == 3
    assert len(cut(records, 1)) == 1
    assert cut([], 1) == []
