"""What is kept of an event that died, and what a sink of dead letters gets."""

from router.dispatch.entry import Entry
from router.dispatch.letters import copy_of, letter_of
from router.journal.contract import Attempt, Parked
from tests.doubles.events import envelope

HISTORY = (Attempt(1_000, "http_500", "oh"), Attempt(2_500, "http_400", "no"))
PARKED = Parked(7, "key", "", 3, 4, 1_000, 2_500, 0, "http_400", "no", HISTORY)


def test_a_letter_has_the_event_and_every_attempt() -> None:
    event = envelope(1)
    letter = letter_of("iam", Entry(7, event, "key", ""), PARKED, "http_400", "x" * 1000)
    assert (letter.lane, letter.position, letter.event_id, letter.body) == ("iam", 7, event.id, event.json)
    assert (letter.reason, len(letter.detail), letter.attempts, letter.history) == ("http_400", 500, 3, HISTORY)
    assert (letter.first_failed_ms, letter.last_failed_ms, letter.dead_ms, letter.app) == (
        1000,
        2500,
        2500,
        event.appid,
    )


def test_a_letter_of_a_replay_has_the_event_as_it_was_stored() -> None:
    event = envelope(1)
    letter = letter_of("iam", Entry(7, event.marked(replayedtime="2026-01-01T00:00:00Z"), None, ""), PARKED, "r", "")
    assert letter.body == event.json


def test_a_copy_is_the_event_with_the_reason_in_attributes() -> None:
    event = envelope(1)
    letter = letter_of("iam", Entry(7, event, "key", ""), PARKED, "http_400", 'say "no"')
    copy = copy_of(letter)
    document = copy.document()
    added = {name: document.pop(name) for name in list(document) if name.startswith("dead")}
    assert document == event.document()
    assert added == {
        "deadsink": "iam",
        "deadreason": "http_400",
        "deaddetail": 'say "no"',
        "deadattempts": "3",
        "deadtime": "1970-01-01T00:00:02.500Z",
    }
    assert copy.deadsink == "iam"
    assert (copy.recordedtime, copy.created_ms) == ("1970-01-01T00:00:02.500Z", 2500)
    assert copy.json.endswith(event.json[1:])
