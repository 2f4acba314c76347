from hypothesis import given
from hypothesis import strategies as st

from router.dispatch.backoff import delay

SECONDS = st.floats(0, 1e6, allow_nan=False)


@given(st.integers(1, 10_000), SECONDS, SECONDS, st.none() | SECONDS, st.floats(0, 1, exclude_max=True))
def test_is_never_negative_nor_longer_than_the_maximum(
    tries: int, initial: float, maximum: float, after: float | None, dice: float
) -> None:
    wait = delay(tries, initial, maximum, after, lambda: dice)
    assert 0 <= wait <= maximum
    assert after is None or wait >= min(after, maximum)


def test_doubles_and_spreads_over_the_whole_span() -> None:
    assert [delay(tries, 0.5, 300) for tries in (1, 2, 3, 10, 11, 5000)] == [0.5, 1, 2, 256, 300, 300]
    assert delay(3, 0.5, 300, random=lambda: 0.0) == 0
    assert delay(3, 0.5, 300, random=lambda: 0.25) == 0.5
