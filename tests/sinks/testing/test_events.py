"""Envelopes to send are as the router makes them."""

import pytest

from router.envelope import Envelope
from sinks.testing.events import TRICKY, make_envelope


@pytest.mark.parametrize("name", sorted(TRICKY))
def test_an_envelope_is_its_json(name: str) -> None:
    envelope = make_envelope(7, data=TRICKY[name], feishuheader="{}")
    assert Envelope.from_json(envelope.json) == envelope
    assert envelope.document()["data"] == TRICKY[name]
    assert envelope.id == "event-7"
    assert b"\n" not in envelope.json


def test_without_a_subject_the_id_is_the_key() -> None:
    assert make_envelope(1, subject=None).partitionkey == "event-1"
    assert make_envelope(1).partitionkey == make_envelope(2).partitionkey
