from hypothesis import given
from hypothesis import strategies as st

from router.dispatch.history import DETAIL_MAX, History, remembered
from router.journal.contract import HISTORY_MAX, Attempt


def after(attempts: list[Attempt], history: History = ()) -> History:
    for attempt in attempts:
        history = remembered(history, attempt)
    return history


def attempt(number: int) -> Attempt:
    return Attempt(number, "http_500", f"try {number}")


def test_nothing_is_forgotten_while_there_is_room() -> None:
    attempts = [attempt(n) for n in range(HISTORY_MAX)]
    assert list(after(attempts)) == attempts


def test_then_the_first_and_the_latest_are_kept() -> None:
    attempts = [attempt(n) for n in range(100)]
    assert list(after(attempts)) == [attempts[0], *attempts[1 - HISTORY_MAX :]]


def test_a_history_that_another_version_kept_longer_is_cut() -> None:
    longer = tuple(attempt(n) for n in range(3 * HISTORY_MAX))
    assert remembered(longer, attempt(99)) == (longer[0], *longer[2 - HISTORY_MAX :], attempt(99))


def test_details_are_cut() -> None:
    [kept] = remembered((), Attempt(1, "http_500", "x" * 10_000))
    assert kept.detail == "x" * DETAIL_MAX


texts = st.text(max_size=2 * DETAIL_MAX)


@given(st.lists(st.builds(Attempt, st.integers(), st.text(max_size=9), texts), min_size=1, max_size=3 * HISTORY_MAX))
def test_it_is_bounded_and_ends_with_the_latest(attempts: list[Attempt]) -> None:
    cut = [each._replace(detail=each.detail[:DETAIL_MAX]) for each in attempts]
    history = list(after(attempts))
    assert history[0] == cut[0]
    assert len(history) == min(len(cut), HISTORY_MAX)
    assert len(history) == 1 or history[1:] == cut[1 - len(history) :]
