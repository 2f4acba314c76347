"""How an event is written to a connection."""

import asyncio
from itertools import pairwise

import pytest

from router.feishu import frames
from router.feishu.parts import Assembly
from sinks.feishu_ws.line import PART_BYTES, WHOLE_BYTES, Line
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
    run_virtual(Line(wire, 1).write(2**31, "m" * 40, bytes(size), 10**13))
    [sent] = wire.sent
    assert len(sent) <= LARGEST_MESSAGE
    frame = frames.decode(sent)
    assert (frame.header("sum"), frame.header("seq"), frame.payload) == ("1", "0", bytes(size))


@pytest.mark.parametrize("size", [WHOLE_BYTES + 1, 2 * PART_BYTES, 2 * PART_BYTES + 1, 3_000_000])
def test_parts_that_come_one_after_the_other(size: int) -> None:
    wire, payload = Recorder(), bytes(range(256)) * (size // 256) + bytes(size % 256)
    run_virtual(Line(wire, 1).write(7, "m", payload, 0))
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

    run_virtual(Line(Timed(), 1).write(7, "m", bytes(3 * PART_BYTES), 0))
    assert [later - earlier for earlier, later in pairwise(times)] == pytest.approx([0.05, 0.05])
