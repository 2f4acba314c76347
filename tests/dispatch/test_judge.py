"""The judge's own rules: which failures count, and what goes back to the queue. The rest is tried with whole lanes."""

import io
from collections.abc import Sequence

from router.dispatch.breaker import Breaker
from router.dispatch.entry import Entry
from router.dispatch.judge import Judge
from router.dispatch.ledger import Ledger
from router.dispatch.outlet import Outlet
from router.dispatch.parking import Parking
from router.dispatch.parts import Parts
from router.settings.model import DispatchSettings
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger
from sinks.contract import DELIVERED, FOLLOWS, Outcome, Rejected, Retry, Unavailable
from sinks.settings import SinkSettings
from tests.doubles.events import envelope
from tests.doubles.journal import MemoryJournal
from tests.doubles.scripted import ScriptedSink
from tests.doubles.stepped import SteppedClock


class Court:
    def __init__(self, **retry: float) -> None:
        self.journal, self.clock = MemoryJournal(), SteppedClock()
        self.ledger = Ledger("s", self.journal)
        self.parking = Parking("s", lambda _: "", self.journal, self.ledger, self.clock)
        telemetry = Telemetry(make_logger("error", "json", io.StringIO()))
        parts = Parts(self.journal, DispatchSettings(), telemetry, self.clock, lambda: 1.0)
        settings = SinkSettings.model_validate({"type": "memory", "retry": retry})
        outlet = Outlet("s", ScriptedSink(), settings, parts)
        breaker = Breaker(settings.breaker, self.clock.monotonic)
        self.judge = Judge(outlet, breaker, self.ledger, self.parking, parts)

    def hear(self, *cases: tuple[Entry, Outcome]) -> tuple[Sequence[Entry], Unavailable | None]:
        answer = self.judge.batch([entry for entry, _ in cases], [outcome for _, outcome in cases])
        self.ledger.flush()
        return answer


def entry(position: int, key: str | None = None, scope: str = "") -> Entry:
    return Entry(position, envelope(position), key, scope)


async def test_a_first_failure_counts_only_after_a_delivery() -> None:
    court = Court()
    court.hear((entry(1), Retry("x")), (entry(2), DELIVERED), (entry(3), Retry("x")), (entry(4), Retry("x")))
    rows = court.journal.parked["s"]
    assert {position: (row.attempts, row.tries) for position, row in rows.items()} == {1: (0, 1), 3: (1, 1), 4: (0, 1)}
    assert court.judge.misses == 2


async def test_followers_of_a_failed_event_go_back_whatever_the_sink_says_of_them() -> None:
    court = Court()
    first, second, third, fourth = (entry(n, "x\nk", "x") for n in range(1, 5))
    back, why = court.hear(
        (first, Retry("x")), (second, FOLLOWS), (third, Unavailable("no", scope="x")), (fourth, Rejected("bad"))
    )
    assert back == [second, third]
    assert why is None
    assert set(court.journal.parked["s"]) == {1}
    assert [letter.position for letter in court.journal.dead] == [4]


async def test_an_unavailable_sink_takes_its_events_back_and_keeps_what_was_delivered() -> None:
    court = Court()
    entries = [entry(n, f"k{n}") for n in range(1, 4)]
    back, why = court.hear((entries[0], DELIVERED), (entries[1], Unavailable("down")), (entries[2], Rejected("bad")))
    assert (back, why) == ([entries[1]], Unavailable("down"))
    assert court.judge.delivered == 1


async def test_a_scope_that_an_event_does_not_have_is_the_whole_sink() -> None:
    court = Court()
    mine = entry(1, "k")
    assert court.hear((mine, Unavailable("no", scope="odd"))) == ([mine], Unavailable("no", scope="odd"))
    assert not court.parking.holds


async def test_a_letter_says_how_often_and_when() -> None:
    court = Court(max_attempts=1)
    court.hear((entry(1), DELIVERED), (entry(2), Retry("http_500", "x" * 9000)), (entry(3), Rejected("http_400")))
    now = int(court.clock.now * 1000)
    assert [
        (letter.position, letter.reason, letter.attempts, letter.first_failed_ms, letter.last_failed_ms)
        for letter in court.journal.dead
    ] == [(2, "http_500", 1, now, now), (3, "http_400", 1, now, now)]
    assert len(court.journal.dead[0].detail) == 500


async def test_an_outcome_of_no_known_kind_is_a_failure_of_that_event() -> None:
    court = Court()
    court.hear((entry(1), DELIVERED), (entry(2), None))  # type: ignore[arg-type] # a plug-in's mistake
    assert court.journal.parked["s"][2].reason == "raised"
