from hypothesis import given
from hypothesis import strategies as st

from sinks.contract import DELIVERED, FOLLOWS, Delivered, Outcome, Rejected, Retry, Unavailable
from sinks.http.answers import Answer
from sinks.http.split import MAX_REQUESTS, Split

REJECTED = Answer(Rejected("http_400"), divisible=True)
FAILED = Answer(Retry("http_500"), divisible=True)
AWAY = Answer(Unavailable("http_503"))
FINE = Answer(DELIVERED)


def run(keys: list[str | None], bad: dict[int, Answer], requests: int = 1000) -> tuple[list[Outcome], list[list[int]]]:
    """Against a receiver that answers a batch as the first bad event in it says; time is up after so many requests."""
    split = Split(keys)
    sent: list[list[int]] = []
    while part := split.next():
        sent.append(part)
        answer = next((bad[index] for index in part if index in bad), FINE)
        split.answered(part, answer, may_go_on=len(sent) < requests)
    return split.outcomes(), sent


def test_one_bad_event_among_a_thousand_is_found() -> None:
    outcomes, sent = run([None] * 1000, {777: REJECTED})
    assert [index for index, outcome in enumerate(outcomes) if outcome != DELIVERED] == [777]
    assert outcomes[777] == REJECTED.outcome
    assert len(sent) <= MAX_REQUESTS


def test_an_unavailable_receiver_is_asked_no_further() -> None:
    outcomes, sent = run([None] * 9, {0: AWAY})
    assert outcomes == [AWAY.outcome] * 9
    assert len(sent) == 1


def test_what_was_delivered_before_the_receiver_went_away_stays_delivered() -> None:
    outcomes, _ = run([None] * 8, {1: REJECTED, 4: AWAY})
    assert outcomes[:4] == [AWAY.outcome] * 4 or outcomes[4:] == [AWAY.outcome] * 4
    assert Rejected not in {type(outcome) for index, outcome in enumerate(outcomes) if index != 1}


def test_when_time_is_up_the_rest_comes_again() -> None:
    outcomes, sent = run([None] * 8, {0: REJECTED, 7: REJECTED}, requests=4)
    assert len(sent) == 4
    assert outcomes[0] == REJECTED.outcome
    assert {type(outcome) for outcome in outcomes[1:]} == {Retry}


def test_followers_of_a_failed_event_wait() -> None:
    assert run(["a", "a", "b"], {0: REJECTED})[0] == [REJECTED.outcome, FOLLOWS, DELIVERED]
    assert run(["a", "a", "b"], {0: FAILED})[0] == [FAILED.outcome, FOLLOWS, DELIVERED]


answers = st.sampled_from([REJECTED, FAILED, AWAY])


@given(
    st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=40),
    st.dictionaries(st.integers(0, 39), answers, max_size=8),
    st.integers(1, 60),
)
def test_the_promises_hold_for_any_batch(keys: list[str | None], bad: dict[int, Answer], requests: int) -> None:
    outcomes, sent = run(keys, bad, requests)
    assert len(outcomes) == len(keys)
    assert len(sent) <= min(requests, MAX_REQUESTS)
    accepted = [index for part in sent if not bad.keys() & set(part) for index in part]
    alone = {part[0] for part in sent if len(part) == 1}
    for index, outcome in enumerate(outcomes):
        assert isinstance(outcome, Delivered) == (index in accepted)
        assert not isinstance(outcome, Rejected) or (bad.get(index) == REJECTED and index in alone)
    assert len(accepted) == len(set(accepted))
    for key in ("a", "b", "c"):
        own = [outcomes[index] for index, this in enumerate(keys) if this == key]
        held = [not isinstance(outcome, Delivered) for outcome in own]
        assert held == sorted(held), "an event was delivered past a failed one of its key"
        assert [index for index in accepted if keys[index] == key] == sorted(
            index for index in accepted if keys[index] == key
        )
