from router.dispatch.entry import Entry
from router.dispatch.holds import HeldKey, HeldScope, Holds, hold_key
from router.journal.contract import Parked
from tests.doubles.events import envelope


def entry(key: str | None, scope: str = "", position: int = 1) -> Entry:
    return Entry(position, envelope(position), key, scope)


def held(**due: float) -> Holds:
    holds = Holds()
    for key, at in due.items():
        holds.keys[key] = HeldKey(count=1)
        holds.set_due(key, at)
    return holds


def test_keys_come_out_when_due_earliest_first_and_once() -> None:
    holds = held(a=5, b=3, c=9)
    assert holds.next_due(1) == 2
    assert holds.due_key(2) is None
    assert [holds.due_key(6) for _ in range(3)] == ["b", "a", None]
    assert holds.next_due(6) == 3
    assert holds.earliest_key() == "c"
    assert holds.earliest_key() is None


def test_a_new_due_time_replaces_the_old_one() -> None:
    holds = held(a=5)
    holds.set_due("a", 50)
    assert holds.due_key(10) is None
    holds.set_due("a", 2)
    assert holds.due_key(10) == "a"
    assert holds.due_key(100) is None


def test_a_key_of_an_unavailable_scope_waits_for_it_without_a_timer() -> None:
    holds = held(**{"x\nk": 1})
    holds.scopes["x"] = HeldScope(count=1, loaded=1)
    assert holds.due_key(5) is None
    assert holds.next_due(5) is None
    holds.release_scope("x", 7)
    assert holds.due_key(7) == "x\nk"


def test_a_half_open_scope_lets_its_keys_and_new_events_go() -> None:
    holds = held(**{"x\nk": 1})
    holds.scopes["x"] = HeldScope()
    assert holds.where(entry("x\nother", "x")) == "x"
    assert holds.due_key(5) is None
    holds.half_open("x", 6)
    assert holds.where(entry("x\nother", "x")) is None
    assert holds.where(entry("x\nk", "x")) == ""
    assert holds.due_key(6) == "x\nk"


def test_who_accused_a_scope_is_blamed_when_another_gets_through() -> None:
    holds = held(**{"x\na": 1, "x\nb": 1})
    holds.scopes["x"] = HeldScope(accusers={"x\na", "x\nb", "x\ngone"})
    holds.cleared(holds.scopes["x"], entry("x\nb", "x"))
    assert (holds.keys["x\na"].blamed, holds.keys["x\nb"].blamed) == (True, False)


def test_a_hold_ends_with_its_last_event() -> None:
    holds = held(a=1)
    holds.keys["a"].loaded = 1
    assert not holds.release_empty(Parked(1, "a", ""), 0)
    holds.keys["a"].count = holds.keys["a"].loaded = 0
    assert holds.release_empty(Parked(1, "a", ""), 0)
    assert not holds
    assert holds.next_due(0) is None


def test_without_an_order_each_event_is_its_own_key() -> None:
    assert hold_key(entry(None, position=7)) != hold_key(entry(None, position=8))
    assert hold_key(entry("k")) == "k"
