from router.dispatch.ledger import Ledger
from router.journal.contract import DeadLetter, Parked
from tests.doubles.events import envelope
from tests.doubles.journal import MemoryJournal


def letter(position: int) -> DeadLetter:
    return DeadLetter("s", position, f"e{position}", "t", None, b"{}", "bad", "", 1, 1, 1, 1)


async def test_everything_that_ended_goes_in_one_settlement_and_only_once() -> None:
    journal = MemoryJournal()
    ledger = Ledger("s", journal)
    await ledger.restore()
    for n in range(1, 6):
        _ = journal.append(envelope(n))
        ledger.window.add(n, "")
    ledger.settle(1)
    ledger.park(Parked(3, "k", "", tries=1))
    ledger.park(Parked(3, "k", "", tries=2))
    ledger.bury(letter(4))
    assert journal.cursors["s"] == (0, [])
    ledger.flush()
    await ledger.durable()
    assert journal.cursors["s"] == (1, [(3, 4)])
    assert journal.parked["s"] == {3: Parked(3, "k", "", tries=2)}
    assert len(journal.dead) == 1
    ledger.flush()
    assert len(journal.dead) == 1
    ledger.unpark(3)
    ledger.flush()
    assert journal.parked["s"] == {}


async def test_the_last_word_on_a_parked_event_counts() -> None:
    journal = MemoryJournal()
    ledger = Ledger("s", journal)
    await ledger.restore()
    ledger.park(Parked(1, "k", ""))
    ledger.unpark(1)
    ledger.unpark(2)
    ledger.park(Parked(2, "k", ""))
    ledger.flush()
    assert set(journal.parked["s"]) == {2}


async def test_nothing_new_is_no_settlement() -> None:
    journal = MemoryJournal()
    ledger = Ledger("s", journal)
    await ledger.restore()
    ledger.flush()
    told: list[object] = []
    journal.settle = lambda *args: told.append(args)  # type: ignore[method-assign, assignment]
    ledger.flush()
    assert told == []
