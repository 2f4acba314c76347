import time
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.contract import DELIVERED, Delivered, Outcome, Rejected, Retry, Unavailable
from sinks.http.answers import MAX_AFTER_SECONDS, Answer, StatusTable, retry_after
from sinks.http.settings import HttpSettings

NOW = 1_800_000_000.0
REJECTED = {400, 409, 413, 414, 415, 422}
UNAVAILABLE = {401, 403, 404, 405, 407, 410, 429, 502, 503, 504, *range(300, 400)}


def expected(status: int) -> type[Outcome]:
    if 200 <= status < 300:
        return Delivered
    if status in REJECTED:
        return Rejected
    return Unavailable if status in UNAVAILABLE else Retry


@pytest.mark.parametrize(
    "status", [0, 100, 101, *range(200, 227), *range(300, 309), *range(400, 452), *range(500, 512), 599, 600, 999]
)
def test_every_status_has_the_default_outcome(status: int) -> None:
    answer = StatusTable({}).answer(status, "why", 3.0)
    assert type(answer.outcome) is expected(status)
    match answer.outcome:
        case Retry(reason, detail, after) | Unavailable(reason, detail, after):
            assert (reason, detail, after) == (f"http_{status}", "why", 3.0)
        case Rejected(reason, detail):
            assert (reason, detail) == (f"http_{status}", "why")
        case other:
            assert other == DELIVERED


def table(**lists: str) -> StatusTable:
    settings = HttpSettings.model_validate({"type": "http", "url": "http://h/"} | lists)
    return StatusTable(settings.table())


@pytest.mark.parametrize(
    ("lists", "status", "kind"),
    [
        ({"rejected_statuses": "404"}, 404, Rejected),
        ({"rejected_statuses": "404"}, 400, Rejected),
        ({"rejected_statuses": "404"}, 403, Unavailable),
        ({"rejected_statuses": "4xx"}, 404, Unavailable),
        ({"rejected_statuses": "4xx"}, 418, Rejected),
        ({"unavailable_statuses": "5xx"}, 500, Retry),
        ({"unavailable_statuses": "5xx"}, 507, Unavailable),
        ({"unavailable_statuses": "500-599, 500"}, 500, Unavailable),
        ({"retry_statuses": "500-510", "unavailable_statuses": "505"}, 505, Unavailable),
        ({"retry_statuses": "500-510", "unavailable_statuses": "5xx"}, 506, Retry),
        ({"delivered_statuses": "409,304"}, 409, Delivered),
        ({"delivered_statuses": "409,304"}, 304, Delivered),
        ({"retry_statuses": "2XX"}, 204, Retry),
        ({"rejected_statuses": "100-999"}, 418, Rejected),
        ({"rejected_statuses": "4xx"}, 429, Unavailable),
        ({"retry_statuses": "429"}, 429, Retry),
        ({"rejected_statuses": "429"}, 429, Rejected),
    ],
)
def test_the_more_exact_entry_wins_and_settings_win_over_defaults(
    lists: dict[str, str], status: int, kind: type[Outcome]
) -> None:
    assert type(table(**lists).answer(status, "", None).outcome) is kind


@pytest.mark.parametrize(
    ("status", "after", "divisible"),
    [(400, None, True), (413, 5.0, True), (500, None, True), (500, 5.0, False), (429, None, False), (503, None, False)],
)
def test_only_what_may_be_one_events_fault_is_divisible(status: int, after: float | None, divisible: bool) -> None:
    assert StatusTable({}).answer(status, "", after).divisible is divisible


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("after", [None, 0.0, 7.0, MAX_AFTER_SECONDS])
def test_a_receiver_that_asks_for_a_pause_gets_one_from_the_whole_sink(status: int, after: float | None) -> None:
    assert StatusTable({}).answer(status, "why", after) == Answer(Unavailable(f"http_{status}", "why", after))


@pytest.mark.parametrize("status", [408, 425, 500])
def test_a_pause_that_is_asked_for_one_event_stays_its_own(status: int) -> None:
    assert StatusTable({}).answer(status, "why", 7.0) == Answer(Retry(f"http_{status}", "why", 7.0))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0000000000007", 7.0),
        ("9" * 5000, MAX_AFTER_SECONDS),
        ("-3", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("Fri, 15 Jan 2027 08:01:30 GMT", 90.0),
        ("Friday, 15-Jan-27 08:01:30 GMT", 90.0),
        ("Fri Jan 15 08:01:30 2027", 90.0),
        ("Fri, 15 Jan 2027 08:00:00 -0000", 0.0),
        ("Fri, 15 Jan 2021 08:00:00 GMT", 0.0),
        ("Fri, 15 Jan 9999 08:00:00 GMT", MAX_AFTER_SECONDS),
        ("Fri, 15 Jan 99999999999999999999 08:00:00 GMT", None),
        ("Fri, 15 Jan 2027 08:00:00 +99999999999999999999", None),
    ],
)
def test_retry_after_in_all_its_forms(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


def test_a_date_without_a_zone_is_utc_wherever_the_router_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Shanghai")
        time.tzset()
        assert retry_after("Fri Jan 15 08:01:30 2027", NOW) == 90.0
    time.tzset()


@given(st.text())
def test_retry_after_takes_any_text(value: str) -> None:
    seconds = retry_after(value, NOW)
    assert seconds is None or 0 <= seconds <= MAX_AFTER_SECONDS


@given(
    st.from_regex(r"[A-Z][a-z]{2}, ?[0-9]{1,3}[ -][A-Z][a-z]{2}[ -][0-9]{1,25} [0-9:]{1,25} ([A-Z]{3}|[+-][0-9]{1,25})")
)
def test_retry_after_takes_anything_like_a_date(value: str) -> None:
    seconds = retry_after(value, NOW)
    assert seconds is None or 0 <= seconds <= MAX_AFTER_SECONDS


@given(st.integers(0, int(MAX_AFTER_SECONDS)))
def test_both_forms_of_retry_after_say_the_same(seconds: int) -> None:
    date = format_datetime(datetime.fromtimestamp(NOW + seconds, UTC), usegmt=True)
    assert retry_after(date, NOW) == retry_after(str(seconds), NOW) == seconds
