import base64
import hashlib
import hmac
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.contract import DELIVERED
from sinks.http.signature import MAX_ID_LENGTH, sign, webhook_id
from tests.doubles.receiver import Received, Receiver
from tests.sinks.http.conftest import OpenSink
from tests.sinks.http.samples import envelope

texts = st.text(st.characters(exclude_categories=["Cs"]))
FIRST = b"first key, with 24 bytes or more"
SECOND = "a raw secret of enough bytes, ä"
WHSEC = "whsec_" + base64.b64encode(FIRST).decode()


def verifies(key: bytes, received: Received) -> bool:
    """A receiver's check as the public specification describes it, written apart from the sink's code."""
    signed = b".".join(
        [received.headers["webhook-id"].encode(), received.headers["webhook-timestamp"].encode(), received.body]
    )
    mine = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    offered = [part.split(",", 1) for part in received.headers["webhook-signature"].split(" ")]
    return any(version == "v1" and hmac.compare_digest(value, mine) for version, value in offered)


@pytest.mark.parametrize("format_", ["structured", "binary", "batch", "data"])
async def test_each_secret_verifies_what_arrived(open_sink: OpenSink, format_: str) -> None:
    async with Receiver() as receiver:
        sink = await open_sink(url=receiver.url, format=format_, signing_secrets=f"{WHSEC}\n{SECOND}")
        assert await sink.deliver([envelope("ev-1")]) == [DELIVERED]
        [got] = receiver.requests
        assert got.headers["webhook-id"] == "ev-1"
        assert verifies(FIRST, got)
        assert verifies(SECOND.encode(), got)
        assert not verifies(b"another key of at least 24 bytes", got)


def test_a_known_signature() -> None:
    """From another implementation: `printf %s <text> | openssl dgst -sha256 -hmac <key> -binary | base64`."""
    assert sign([b"k" * 24], "msg_1", 1700000000, b'{"a":1}') == "v1,bYr7Rz93bX8WqNI5XVthzq7NE/LcYrDkos9dgSLYHOc="


def test_the_id_of_one_event_is_its_own() -> None:
    assert webhook_id(["5e3702a84e847582be8db7fb73283c02"]) == "5e3702a84e847582be8db7fb73283c02"
    assert webhook_id(["a.b c"]) == "a%2Eb%20c"


def test_a_long_id_and_several_are_hashed() -> None:
    assert webhook_id(["x" * MAX_ID_LENGTH]) == "x" * MAX_ID_LENGTH
    assert re.fullmatch(r"batch_[0-9a-f]{64}", webhook_id(["x" * (MAX_ID_LENGTH + 1)]))
    assert len({webhook_id(ids) for ids in (["a", "bc"], ["ab", "c"], ["abc", ""], ["a", "b", "c"], ["", "abc"])}) == 5


@given(texts)
def test_any_id_fits_a_header_and_the_signed_text(event_id: str) -> None:
    made = webhook_id([event_id])
    assert re.fullmatch(r"[A-Za-z0-9_~:%-]+", made)
    assert len(made) <= MAX_ID_LENGTH
    assert made == webhook_id([event_id])


@given(st.lists(texts, min_size=1, max_size=4), st.lists(texts, min_size=1, max_size=4))
def test_different_events_have_different_ids(one: list[str], other: list[str]) -> None:
    assert (webhook_id(one) == webhook_id(other)) == (one == other)


@given(st.text(string.printable), st.binary(), st.integers(0, 2**40))
def test_a_changed_bit_changes_the_signature(event_id: str, body: bytes, timestamp: int) -> None:
    made = webhook_id([event_id])
    signature = sign([FIRST], made, timestamp, body)
    assert signature != sign([FIRST], made, timestamp, body + b"\0")
    assert signature != sign([FIRST], made, timestamp + 1, body)
    assert signature != sign([FIRST], made + "x", timestamp, body)
