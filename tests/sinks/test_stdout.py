import asyncio
import os
import subprocess
import sys

import orjson
import pytest

from sinks.contract import DELIVERED, SinkNotReadyError, Unavailable
from sinks.stdout import SINK, StdoutSettings, StdoutSink, encode
from tests.doubles.envelopes import make_envelope

_DELIVER = """
import asyncio, sys
from sinks.stdout import SINK
from tests.doubles.envelopes import make_envelope

async def main():
    sink = SINK.build("out", SINK.settings(type="stdout"))
    await sink.open()
    for number in range(int(sys.argv[1])):
        print(type((await sink.deliver([make_envelope(number)]))[0]).__name__, file=sys.stderr, flush=True)
    await sink.close()

asyncio.run(main())
"""


def test_it_writes_lines_to_the_real_standard_output() -> None:
    done = subprocess.run([sys.executable, "-c", _DELIVER, "3"], capture_output=True, timeout=30, check=True)
    assert [orjson.loads(line)["id"] for line in done.stdout.splitlines()] == ["event-0", "event-1", "event-2"]
    assert done.stderr.split() == [b"Delivered"] * 3


def test_a_reader_that_goes_away_is_unavailable_and_no_crash() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _DELIVER, "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read().split() == [b"Unavailable"]
    assert process.returncode == 0


async def test_a_blocked_pipe_blocks_neither_the_loop_nor_the_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sinks.stdout.CLOSE_SECONDS", 0.05)
    reading, writing = os.pipe()
    sink = StdoutSink(descriptor=writing)
    await sink.open()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await sink.deliver([make_envelope(data={"text": "x" * (1 << 20)})])
    await sink.close()
    os.close(reading)
    await sink.open()
    assert await sink.deliver([make_envelope()]) == [
        Unavailable("broken_pipe", "whatever read standard output is gone"),
    ]
    await sink.close()
    os.close(writing)


async def test_without_a_standard_output_it_is_not_ready() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    with pytest.raises(SinkNotReadyError, match="standard output is closed"):
        await StdoutSink(descriptor=writing).open()


async def test_pretty_is_for_eyes_and_still_the_same() -> None:
    envelope = make_envelope()
    assert SINK.settings.model_validate({"type": "stdout", "pretty": "true"}) == StdoutSettings(
        type="stdout", pretty=True
    )
    pretty = encode(envelope, pretty=True)
    assert pretty.count(b"\n") > 10
    assert orjson.loads(pretty) == envelope.document()
    reading, writing = os.pipe()
    sink = StdoutSink(pretty=True, descriptor=writing)
    await sink.open()
    assert await sink.deliver([envelope]) == [DELIVERED]
    assert os.read(reading, 1 << 16) == pretty
    await sink.close()
    os.close(reading)
    os.close(writing)
