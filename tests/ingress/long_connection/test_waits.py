import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.feishu.discovery import ClientConfig, Verdict
from router.ingress.long_connection.waits import FATAL_SECONDS, SLOWLY_SECONDS, Waits

CONFIG = ClientConfig(reconnect_count=1, reconnect_interval=90.0, reconnect_nonce=25.0)


def test_first_anywhere_within_the_nonce_then_at_the_interval_and_again_after_it_went_well() -> None:
    waits = Waits(lambda: 0.5)
    assert [waits.after(Verdict.SOON, CONFIG) for _ in range(4)] == [12.5, 90.0, 90.0, 90.0]
    waits.connected()
    assert waits.after(Verdict.SOON, CONFIG) == 12.5


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 200))
def test_it_never_gives_up_and_never_hurries(random: float, attempts: int) -> None:
    waits = Waits(lambda: random)
    for _ in range(attempts):
        assert 0 <= waits.after(Verdict.SOON, CONFIG) <= 1.2 * 90.0
    assert FATAL_SECONDS <= waits.after(Verdict.FATAL, CONFIG) < 1.5 * FATAL_SECONDS
    assert SLOWLY_SECONDS <= waits.after(Verdict.SLOWLY, CONFIG) < 1.5 * SLOWLY_SECONDS


@pytest.mark.parametrize("verdict", [Verdict.FATAL, Verdict.SLOWLY])
def test_a_refusal_is_no_attempt_that_makes_the_next_loss_slower(verdict: Verdict) -> None:
    waits = Waits(lambda: 0.5)
    waits.after(verdict, CONFIG)
    assert waits.after(Verdict.SOON, CONFIG) == 12.5
