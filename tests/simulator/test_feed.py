"""Events in turn."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from router.feishu.samples import sample
from router.simulator.feed import LATE_BY, feed

DOCUMENTS = [sample("corehr.department.updated_v2"), sample("approval_instance")]


def test_documents_in_turn_each_time_as_a_new_event_of_the_app() -> None:
    pushes = list(feed(DOCUMENTS, "cli_mine", 5))
    assert [push.type for push in pushes] == [
        "corehr.department.updated_v2",
        "approval_instance",
        "corehr.department.updated_v2",
        "approval_instance",
        "corehr.department.updated_v2",
    ]
    assert len({push.id for push in pushes}) == 5
    assert pushes[0].document("")["header"]["app_id"] == pushes[1].document("")["event"]["app_id"] == "cli_mine"
    assert list(feed(DOCUMENTS, "cli_mine", 0)) == []
    assert len(list(itertools.islice(feed(DOCUMENTS, "cli_mine", None), 100))) == 100


@given(count=st.integers(0, 60), share=st.floats(0, 1), seed=st.integers(0, 99))
def test_out_of_order_loses_nothing_and_delays_little(count: int, share: float, seed: int) -> None:
    documents = [{"header": {"event_type": str(number)}} for number in range(max(1, count))]
    numbers = [int(push.type) for push in feed(documents, "cli_mine", count, share, seed)]
    assert sorted(numbers) == list(range(count))
    for place, number in enumerate(numbers):
        assert place - number <= LATE_BY + 1 + sum(other > number for other in numbers[:place])
    if share == 0:
        assert numbers == sorted(numbers)


def test_a_share_is_overtaken() -> None:
    documents = [{"header": {"event_type": str(number)}} for number in range(200)]
    numbers = [int(push.type) for push in feed(documents, "cli_mine", 200, 0.2)]
    assert 5 < sum(one > other for one, other in itertools.pairwise(numbers)) < 60
