"""The conformance suite of sinks, over the port for programs and a program that is connected."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from router.envelope import Envelope
from router.feishu.callback import arrived
from router.feishu.results import Event
from sinks.contract import Outcome, Sink
from sinks.feishu_ws import SINK
from sinks.feishu_ws.settings import FeishuWsSettings
from sinks.feishu_ws.sink import FeishuWsSink
from sinks.testing.suite import (
    RecoveringTarget,
    RecoveryContract,
    SinkContract,
    UnreachableContract,
    UnreachableTarget,
)
from tests.doubles.programs import SECRET, Port, port, settings_of
from tests.doubles.waiting import until


class ProgramTarget(UnreachableTarget, RecoveringTarget):
    """What a push doesn't carry is filled in from what was sent."""

    sink_type = SINK
    secrets = (SECRET,)

    def __init__(self, here: Port) -> None:
        self._here = here
        self._sent: dict[str, Envelope] = {}

    def settings(self) -> FeishuWsSettings:
        return settings_of(in_flight=4)

    def build(self) -> Sink:
        made = RememberingSink(self.settings(), self._sent)
        made.pool = self._here.sink.pool
        return made

    def unreachable(self) -> Sink:
        return SINK.build("contract", self.settings())

    async def arrived(self) -> list[dict[str, Any]]:
        return [self._whole(payload) for program in self._here.programs for payload in program.payloads]

    async def go_away(self) -> None:
        await self._here.programs[-1].cut()
        await until(lambda: not self._here.sink.pool.lines)

    async def come_back(self) -> None:
        await self._here.program().connect()

    def _whole(self, payload: bytes) -> dict[str, Any]:
        read = arrived("app", "", payload, 0.0)
        assert isinstance(read, Event)
        sent = self._sent[read.envelope.id].document()
        return read.envelope.document() | {name: sent[name] for name in ("subject", "partitionkey", "recordedtime")}


class RememberingSink(FeishuWsSink):
    def __init__(self, settings: FeishuWsSettings, sent: dict[str, Envelope]) -> None:
        super().__init__(settings)
        self._sent = sent

    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        self._sent.update({envelope.id: envelope for envelope in batch})
        return await super().deliver(batch)


class TestFeishuWs(SinkContract, UnreachableContract, RecoveryContract):
    @pytest.fixture
    async def target(self) -> AsyncIterator[ProgramTarget]:
        async with port(in_flight=4) as here:
            await here.program().connect()
            yield ProgramTarget(here)
