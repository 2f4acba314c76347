from hypothesis import given
from hypothesis import strategies as st

from router.settings.faults import Fault, SettingsError, did_you_mean, nearest


def test_one_fault_a_line() -> None:
    error = SettingsError([Fault("A", "is bad"), Fault("B", "is worse", "did you mean C?")])
    assert str(error) == "A: is bad\nB: is worse (did you mean C?)"


def test_nearest_looks_past_case() -> None:
    assert nearest("Kafak", ["kafka", "http"]) == "kafka"
    assert nearest("qqq", ["kafka", "http"]) == ""
    assert did_you_mean("qqq", ["kafka"]) == ""


@given(st.text(), st.lists(st.text()))
def test_nearest_is_one_of_the_known(word: str, known: list[str]) -> None:
    assert nearest(word, known) in {"", *known}
