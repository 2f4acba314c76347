"""Writes envelopes to standard output, a line of JSON each."""

import errno
import os
from collections.abc import Sequence

import orjson
from pydantic import Field

from router.envelope import Envelope
from sinks.contract import DELIVERED, Outcome, SinkNotReadyError, SinkType, Unavailable
from sinks.settings import SinkSettings
from sinks.worker import Worker

STDOUT = 1
CLOSE_SECONDS = 2.0


class StdoutSettings(SinkSettings):
    """Settings of a stdout sink."""

    pretty: bool = Field(default=False, description="Indent the JSON, for eyes; then an event spans lines.")


class StdoutSink:
    """Writes to file descriptor 1 (or another) past Python's buffers, in a thread: a blocked pipe blocks only that."""

    max_events = 500
    max_bytes = 1 << 20
    concurrency = 1
    keeps_order = True

    def __init__(self, *, pretty: bool = False, descriptor: int = STDOUT) -> None:
        self._pretty = pretty
        self._descriptor = descriptor
        self._worker = Worker("stdout sink")
        self._open = False

    async def open(self) -> None:
        """Check that there is a standard output."""
        try:
            os.fstat(self._descriptor)
        except OSError as error:
            raise SinkNotReadyError("standard output is closed") from error
        self._open = True

    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        """Delivered when the system has taken the whole batch. After a failure part of it may be written all the same."""
        if not self._open:
            return [Unavailable("closed", "the stdout sink is not open")] * len(batch)
        data = b"".join(encode(envelope, pretty=self._pretty) for envelope in batch)
        try:
            await self._worker.run(lambda: _write(self._descriptor, data))
        except OSError as error:
            return [_unavailable(error)] * len(batch)
        return [DELIVERED] * len(batch)

    async def close(self) -> None:
        """Wait a moment for a write under way. Standard output itself stays open, it isn't ours."""
        self._open = False
        await self._worker.stop(CLOSE_SECONDS)

    def scope(self, envelope: Envelope) -> str:  # noqa: ARG002 - the contract's signature
        """It has no parts."""
        return ""


def encode(envelope: Envelope, *, pretty: bool) -> bytes:
    """The envelope's own bytes and a newline; pretty: parsed and indented by two."""
    if not pretty:
        return envelope.json + b"\n"
    return orjson.dumps(envelope.document(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _unavailable(error: OSError) -> Unavailable:
    if error.errno == errno.EPIPE:
        return Unavailable("broken_pipe", "whatever read standard output is gone")
    return Unavailable(errno.errorcode.get(error.errno or 0, "os_error").lower(), f"standard output: {error.strerror}")


SINK = SinkType(
    settings=StdoutSettings,
    build=lambda _name, settings: StdoutSink(pretty=settings.pretty),
    describe=lambda _settings: "standard output",
)
