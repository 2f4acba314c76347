"""Tickets are good once, for a minute, and few enough."""

from hypothesis import given
from hypothesis import strategies as st

from router.subscribers import tickets
from router.subscribers.tickets import TICKET_SECONDS, Tickets


def test_good_once() -> None:
    made: Tickets[str] = Tickets()
    ticket = made.issue("a", 0.0)
    assert made.redeem(ticket, 1.0) == "a"
    assert made.redeem(ticket, 1.0) is None


def test_good_for_a_while() -> None:
    made: Tickets[str] = Tickets()
    in_time, late = made.issue("a", 0.0), made.issue("b", 0.0)
    assert made.redeem(in_time, TICKET_SECONDS) == "a"
    assert made.redeem(late, TICKET_SECONDS + 0.01) is None


@given(st.text())
def test_nothing_else_is_a_ticket(text: str) -> None:
    made: Tickets[str] = Tickets()
    made.issue("a", 0.0)
    assert made.redeem(text, 0.0) is None


def test_where_there_are_too_many_the_oldest_go() -> None:
    made: Tickets[int] = Tickets()
    issued = [made.issue(number, 0.0) for number in range(tickets.MAX_TICKETS + 1)]
    assert made.redeem(issued[0], 0.0) is None
    assert made.redeem(issued[1], 0.0) == 1
    made.issue(0, TICKET_SECONDS + 1)  # and all that are over
    assert len(made._issued) == 1
