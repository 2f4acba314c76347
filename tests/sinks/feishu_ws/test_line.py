"""How an event is written to a connection."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.feishu import frames
from router.feishu.parts import Assembly
from sinks.feishu_ws.line import NUMBER, PART_BYTES, SERVICE, WHOLE_BYTES, Line, acknowledged, whole
from tests.doubles.virtual import run_virtual

LARGEST_MESSAGE = 1 << 20


class Recorder:
    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def send(self, frame: bytes) -> None:
        self.sent.append(frame)


@pytest.mark.parametrize("size", [0, 1, WHOLE_BYTES])
def test_whole_as_long_as_every_sdk_takes_it(size: int) -> None:
    wire = Recorder()
    run_virtual(Line(wire, 1).write("m" * 24, bytes(size), 10**12))
    [sent] = wire.sent
    assert len(sent) <= LARGEST_MESSAGE
    frame = frames.decode(sent)
    assert (frame.header("sum"), frame.header("seq"), frame.payload) == ("1", "0", bytes(size))


@pytest.mark.parametrize("size", [WHOLE_BYTES + 1, 2 * PART_BYTES, 2 * PART_BYTES + 1, 3_000_000])
def test_parts_that_come_one_after_the_other(size: int) -> None:
    wire, payload = Recorder(), bytes(range(256)) * (size // 256) + bytes(size % 256)
    run_virtual(Line(wire, 1).write("m" * 24, payload, 0))
    parts, assembly = [frames.decode(sent) for sent in wire.sent], Assembly()
    assert len(parts) == -(-size // PART_BYTES)
    assert all(len(sent) <= LARGEST_MESSAGE for sent in wire.sent)
    whole = [
        assembly.add(
            part.header("message_id"), int(part.header("seq")), int(part.header("sum")), part.payload or b"", 0
        )
        for part in parts
    ]
    assert whole[-1] == payload
    assert set(whole[:-1]) == {None}


def test_parts_are_not_written_back_to_back() -> None:
    times = list[float]()

    class Timed(Recorder):
        async def send(self, frame: bytes) -> None:
            times.append(asyncio.get_running_loop().time())

    run_virtual(Line(Timed(), 1).write("m" * 24, bytes(3 * PART_BYTES), 0))
    assert [later - earlier for earlier, later in pairwise(times)] == pytest.approx([0.05, 0.05])


@given(st.text("0123456789abcdef", min_size=24, max_size=24), st.binary(), st.integers(10**12, 10**13 - 1))
def test_a_frame_cut_up_beforehand_is_the_same(message_id: str, payload: bytes, timestamp: int) -> None:
    assert whole(message_id, payload, timestamp) == frames.event(NUMBER, SERVICE, message_id, payload, timestamp)


@given(st.text("0123456789abcdef", min_size=24, max_size=24), st.binary(max_size=2000), st.integers(0, 10**6))
def test_acknowledgements_are_known_at_a_glance(message_id: str, payload: bytes, took: int) -> None:
    frame = frames.decode(whole(message_id, payload, 10**12))
    assert acknowledged(frames.ack(frame, 200, took)) == message_id
    go = frame._replace(
        payload_encoding="", payload_type="", payload=b'{"code":200,"headers":null,"data":null}', raw=None
    )
    assert acknowledged(frames.encode(go)) == message_id
    python = frame._replace(payload=b'{"code": 200}', raw=None)
    assert acknowledged(frames.encode(python)) == message_id
    assert acknowledged(frames.ack(frame, 500, took)) is None
    assert acknowledged(frames.ack(frame, 200, took, b"{}")) is None  # with an answer: read with care


@given(st.binary())
def test_nothing_else_is_taken_for_one(data: bytes) -> None:
    assert acknowledged(data) is None
    assert len(acknowledged(whole("0" * 24, b"", 10**12)[:-2] + data + b'\x42\x0c{"code":200}') or "0" * 24) == 24
