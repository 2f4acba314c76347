"""The members of what is told."""

import orjson

from router.admin.shapes import (
    letter_members,
    letters_members,
    replay_members,
    sink_members,
    slice_members,
    summary_members,
)
from router.journal.contract import LetterGroup, LetterKey
from router.operations.contract import ReplayOrder, ReplayRow, Slice
from tests.doubles.operators import letter, row

EXACT = b'{"id":"e1","data":{"big":123456789012345678901234567890,"money":1.10}}'


def test_a_letter_has_its_envelope_byte_by_byte() -> None:
    members = letter_members(letter(1, body=EXACT), whole=True)
    assert b'"envelope":' + EXACT in orjson.dumps(members)
    assert members["meaning"].startswith("The receiver failed")
    assert [attempt["reason"] for attempt in members["history"]] == ["timeout", "http_500"]
    short = letter_members(letter(1, body=EXACT), whole=False)
    assert short.keys() < members.keys()
    assert short["bytes"] == len(EXACT)


def test_next_is_the_place_of_the_last_one() -> None:
    assert letters_members([letter(1), letter(2)], whole=False)["next"] == "iam:2:2"
    assert letters_members([letter(7, "ingress")], whole=False)["next"] == "ingress:0:7"
    assert letters_members([], whole=False) == {"letters": [], "next": None}


def test_a_summary_adds_up() -> None:
    groups = [LetterGroup("iam", "a", "x", 3, 1000, 2000, 9), LetterGroup("bus", "a", "x", 4, 1000, 2000, 7)]
    told = summary_members(groups)
    assert (told["total"], told["last_id"], told["groups"][0]["oldest"]) == (7, 9, "1970-01-01T00:00:01.000Z")
    assert summary_members([]) == {"total": 0, "last_id": 0, "groups": []}


def test_a_slice() -> None:
    step = Slice(2, [(5, "gone")], LetterKey("iam", 3, 4), 0.5)
    told = slice_members(step)
    assert told == {"done": 2, "skipped": [{"id": 5, "reason": "gone"}], "next": "iam:3:4", "wait_seconds": 0.5}


def test_times_that_never_were_are_null() -> None:
    assert sink_members(row("iam"))["absent_since"] is None
    assert sink_members(row("iam", absent_ms=1))["absent_since"] == "1970-01-01T00:00:00.001Z"
    assert replay_members(ReplayRow(1, ReplayOrder("iam"), "running", 1, 2, 0, 0, 0))["since"] is None
