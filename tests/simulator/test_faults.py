"""Which fault strikes when."""

import pytest

from router.simulator.faults import FAULTS, Faults, Moment, UnknownFaultError, moment_of


def test_none_unless_asked_for() -> None:
    faults = Faults()
    assert {faults.at(moment) for moment in Moment} == {""}
    assert not faults.struck


def test_ordered_ones_strike_so_often_at_their_moment_and_before_chance() -> None:
    faults = Faults()
    faults.share("reset", 1.0)
    faults.order("card", 2)
    assert faults.at(Moment.PONG) == ""
    assert [faults.at(Moment.FRAME) for _ in range(4)] == ["card", "card", "reset", "reset"]
    assert faults.struck == {"card": 2, "reset": 2}


def test_shares_come_true_and_the_same_seed_gives_the_same_faults() -> None:
    def run(seed: int) -> list[str]:
        faults = Faults(seed)
        faults.share("reset", 0.1)
        faults.share("card", 0.2)
        return [faults.at(Moment.FRAME) for _ in range(2000)]

    struck = run(1)
    assert struck == run(1) != run(2)
    assert 0.08 < struck.count("reset") / 2000 < 0.12
    assert 0.17 < struck.count("card") / 2000 < 0.23


def test_a_share_is_replaced_and_all_can_be_taken_back() -> None:
    faults = Faults()
    faults.share("no-pong", 1.0)
    faults.share("no-pong", 0.0)
    assert faults.at(Moment.PONG) == ""
    faults.share("no-pong", 1.0)
    faults.order("reset")
    faults.heal()
    assert (faults.at(Moment.PONG), faults.at(Moment.FRAME)) == ("", "")


def test_unknown_names() -> None:
    with pytest.raises(UnknownFaultError):
        Faults().order("rset")
    with pytest.raises(UnknownFaultError):
        Faults().share("rset", 1)


def test_every_moment_has_faults_that_are_explained() -> None:
    assert {moment_of(name) for name in FAULTS} == {*Moment}
    assert all(words for _, words in FAULTS.values())
