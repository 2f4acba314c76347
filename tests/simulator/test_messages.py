"""Frames as they come off a connection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.feishu import frames
from router.feishu.frames import FrameError
from router.feishu.parts import Assembly
from router.simulator.messages import Messages

ID = "m" * 36


@given(body=st.binary(max_size=400), service=st.integers(0, 2**31 - 1))
def test_an_event_is_a_frame_that_our_codec_reads(body: bytes, service: int) -> None:
    messages = Messages(service, "i-1", 1)
    for made, type_ in ((messages.event(ID, body), "event"), (messages.card(ID, body), "card")):
        frame = frames.decode(made)
        assert (frame.service, frame.method, frame.payload) == (service, frames.DATA, body)
        assert [frame.header(key) for key in ("type", "message_id", "sum", "seq")] == [type_, ID, "1", "0"]
        assert frame.header("timestamp").isdigit()
        assert frame.header("instance_id") == "i-1"
        assert frames.encode(frame) == made, "a frame whose fields are not in order"


@given(body=st.binary(max_size=400), seed=st.integers(0, 99))
def test_parts_make_the_event_in_whatever_way_they_come(body: bytes, seed: int) -> None:
    for how in ("split", "split-reordered", "split-repeated", "split-empty"):
        assembly, whole = Assembly(), None
        for part in Messages(1, "i", seed).parts(ID, body, how):
            frame = frames.decode(part)
            added = assembly.add(ID, int(frame.header("seq")), int(frame.header("sum")), frame.payload or b"", 0)
            whole = whole or added
        assert (whole or b"") == body, how


@pytest.mark.parametrize(
    ("how", "seqs"),
    [("split", "012"), ("split-reordered", "210"), ("split-repeated", "0012"), ("split-empty", "012")],
)
def test_each_way_is_what_it_says(how: str, seqs: str) -> None:
    for seed in range(20):
        parts = [frames.decode(part) for part in Messages(1, "i", seed).parts(ID, b"x" * 1000, how)]
        assert "".join(part.header("seq") for part in parts) == seqs
        assert {part.header("sum") for part in parts} == {"3"}
        assert how != "split-empty" or b"" in {part.payload for part in parts}


def test_a_lost_part_leaves_it_incomplete() -> None:
    assert len(list(Messages(1, "i", 1).parts(ID, b"hello", "split-lost"))) == 2


@given(seed=st.integers(0, 10_000))
def test_garbage_is_of_many_kinds_and_never_a_whole_other_event(seed: int) -> None:
    body = b'{"schema":"2.0"}'
    try:
        frame = frames.decode(Messages(1, "i", seed).garbage(body))
    except FrameError:
        return
    assert frame.payload in (None, body) or not frame.header("message_id")
