"""Every reason that a letter can have is explained."""

import re
from pathlib import Path

import pytest

from router.admin.reasons import REASONS, UNKNOWN, explain, table
from sinks.http.answers import StatusTable
from sinks.kafka.errors import RECORD

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "dead-letters.md"


def reasons_in_the_code() -> set[str]:
    """Those of outcomes that bury an event: Rejected, and Retry until its attempts are used up."""
    found: set[str] = set()
    for folder in ("sinks", "router/dispatch"):
        for file in (ROOT / folder).rglob("*.py"):
            found |= set(re.findall(r"\b(?:Rejected|Retry)\(\s*\"(\w+)\"", file.read_text()))
    return found


def test_reasons_of_the_sinks_and_lanes_are_explained() -> None:
    found = reasons_in_the_code() | set(RECORD.values())
    assert {"too_large", "not_encodable", "timeout", "raised", "unavailable"} <= found
    assert sorted(reason for reason in found if explain(reason) is UNKNOWN) == []


def test_reasons_of_the_ingress_are_explained() -> None:
    flaws = "\n".join(file.read_text() for file in (ROOT / "router" / "feishu").glob("*.py"))
    found = set(re.findall(r"FlawError\(\s*\"(\w+)\"", flaws))
    assert {"encrypt", "json"} <= found
    assert sorted(reason for reason in found if explain(reason) is UNKNOWN) == []


def test_every_status_that_an_http_receiver_answers_is_explained() -> None:
    answers = StatusTable({})
    for status in range(300, 600):
        outcome = answers.answer(status, "", None).outcome
        said = explain(getattr(outcome, "reason", ""))
        assert said is not UNKNOWN
        assert str(status) in said.meaning


def test_an_unknown_reason_points_to_the_detail() -> None:
    assert explain("of_a_plugin") is UNKNOWN
    assert explain("http_9999") is UNKNOWN


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_reasons_are_whole_sentences(reason: str) -> None:
    meaning, remedy = REASONS[reason]
    for sentence in (meaning, remedy):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert "|" not in sentence


def test_the_docs_have_the_same_words() -> None:
    assert table() in PAGE.read_text(), f"put this into {PAGE}:\n{table()}"
