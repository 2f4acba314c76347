"""The account and its report."""

from collections import Counter

from router.simulator.account import LATE, Account, Attempt, Record, State
from router.simulator.pushes import Push


def record(id_: str = "e") -> Record:
    return Record(Push(id_, "a.b_v1", b"{}"), "cli_a", "webhook")


def test_totals() -> None:
    account = Account()
    good, bad, open_ = record("1"), record("2"), record("3")
    for each in (good, bad, open_):
        account.begin(each)
    account.note(good, Attempt("webhook", "503", 1.0))
    account.note(good, Attempt("webhook", "200", 10.0))
    account.end(good, State.ACCEPTED)
    account.note(good, Attempt("webhook", "200", 20.0, copy=True))
    account.note(bad, Attempt("webhook", LATE, 3000.0, "half-open"))
    account.end(bad, State.LOST)
    report = account.report(Counter(reset=2))
    assert (report.events, report.accepted, report.lost, report.waiting) == (3, 1, 1, 1)
    assert (report.attempts, report.copies, report.late) == (4, 1, 0)
    assert report.answers == {"webhook": {"200": 2, "503": 1, LATE: 1}}
    assert report.faults == {"reset": 2}
    assert (report.p50_ms, report.max_ms) == (20.0, 20.0)
    assert not report.good
    assert good.document()["state"] == "accepted"
    assert [attempt["answer"] for attempt in good.document()["attempts"]] == ["503", "200", "200"]


def test_late_without_our_doing_is_not_good() -> None:
    account = Account()
    assert account.report(Counter()).good
    each = record()
    account.begin(each)
    account.note(each, Attempt("webhook", LATE, 3000.0))
    account.note(each, Attempt("webhook", "200", 1.0))
    account.end(each, State.ACCEPTED)
    assert account.report(Counter()).late == 1
    assert not account.report(Counter()).good


def test_what_was_refused_and_waits_is_not_good_unless_it_was_our_doing() -> None:
    account = Account()
    ours, theirs = record("1"), record("2")
    for each in (ours, theirs):
        account.begin(each)
    account.note(ours, Attempt("webhook", "no answer", 1.0, "cut"))
    assert account.report(Counter()).good
    account.note(theirs, Attempt("webhook", "500", 1.0))
    report = account.report(Counter())
    assert (report.good, report.waiting, report.failing) == (False, 2, 1)
    account.note(theirs, Attempt("webhook", "200", 1.0))
    account.end(theirs, State.ACCEPTED)
    account.note(theirs, Attempt("webhook", "500", 1.0, copy=True))
    assert account.report(Counter()).good


def test_bounded_but_what_has_not_ended_well_is_kept() -> None:
    account = Account(keep=2)
    for number in range(10):
        each = record(str(number))
        account.begin(each)
        if number:
            account.end(each, State.ACCEPTED)
    assert account.report(Counter()).events == 10
    assert len(account.records) == 3
    assert "0" in account.records


def test_counting_anew_keeps_what_is_waiting() -> None:
    account = Account()
    old = record("1")
    account.begin(old)
    account.note(old, Attempt("webhook", "500", 1.0))
    account.start_over()
    assert (account.report(Counter()).attempts, account.report(Counter()).answers) == (0, {})
    assert account.waiting == 1
    account.note(old, Attempt("webhook", "200", 2.0))
    account.end(old, State.ACCEPTED)
    report = account.report(Counter())
    assert (report.accepted, report.waiting, report.p50_ms) == (1, 0, 2.0)
