"""The conformance suite of sinks, in each format that carries the whole event, and in Feishu's own."""

import json
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import unquote

import pytest
from aiohttp import web
from multidict import CIMultiDict
from pydantic import SecretStr

from router.envelope import Envelope
from router.feishu.callback import receive
from router.feishu.keys import Keyring
from router.feishu.results import Event
from sinks.contract import Outcome, Sink
from sinks.http import SINK
from sinks.http.settings import HttpSettings
from sinks.http.sink import HttpSink
from sinks.testing.suite import (
    RecoveringTarget,
    RecoveryContract,
    RejectingTarget,
    RejectionContract,
    SinkContract,
    UnreachableContract,
    UnreachableTarget,
    make_envelope,
)
from tests.doubles.receiver import Received, Receiver

POISON = "poison"


class HttpTarget(UnreachableTarget, RecoveringTarget, RejectingTarget):
    sink_type = SINK
    secrets: tuple[str, ...] = ("bearer-secret", "header-secret", "signing-secret-of-24-bytes", "query-secret")

    def __init__(self, receiver: Receiver, format_: str, held: socket.socket) -> None:
        self._held = held
        self._receiver = receiver
        self._format = format_
        self.accepted: list[Received] = []
        receiver.behave = self._answer

    def settings(self) -> HttpSettings:
        return HttpSettings.model_validate(
            {
                "type": "http",
                "url": f"{self._receiver.url}?key=query-secret",
                "format": self._format,
                "bearer_token": "bearer-secret",
                "headers": "X-Key: header-secret",
                "signing_secrets": "signing-secret-of-24-bytes",
                "max_events": 50,
                "max_bytes": "1MiB",
                "timeout_seconds": 5,
            }
        )

    async def arrived(self) -> list[dict[str, Any]]:
        return [document for received in self.accepted for document in documents(received)]

    def unreachable(self) -> Sink:
        """At a port that is held but not listened on."""
        url = SecretStr(f"http://127.0.0.1:{self._held.getsockname()[1]}/?key=query-secret")
        return SINK.build("contract", self.settings().model_copy(update={"url": url}))

    async def go_away(self) -> None:
        await self._receiver.stop()

    async def come_back(self) -> None:
        await self._receiver.start()

    def poisoned(self, number: int) -> Envelope:
        return make_envelope(number, data={POISON: True})

    async def _answer(self, receiver: Receiver, request: web.BaseRequest, received: Received) -> web.StreamResponse:
        if self.poisons(received):
            return web.Response(status=422)
        self.accepted.append(received)
        return web.Response(status=200)

    def poisons(self, received: Received) -> bool:
        """Whether it will never take this."""
        return POISON.encode() in received.body


class FeishuTarget(HttpTarget):
    """Receives as an SDK would. What a push doesn't carry is filled in from what was sent."""

    keyring = Keyring(["key-secret"], ["token-secret"])
    secrets = (*HttpTarget.secrets, "key-secret", "token-secret")

    def __init__(self, receiver: Receiver, format_: str, held: socket.socket) -> None:
        super().__init__(receiver, format_, held)
        self._sent: dict[str, Envelope] = {}

    def settings(self) -> HttpSettings:
        own = {"encrypt_key": SecretStr("key-secret"), "verification_token": SecretStr("token-secret")}
        return super().settings().model_copy(update=own)

    def build(self) -> Sink:
        return RememberingSink(self.settings(), self._sent)

    async def arrived(self) -> list[dict[str, Any]]:
        return [self._whole(self.read(received)) for received in self.accepted]

    def poisons(self, received: Received) -> bool:
        return bool(self.read(received)["data"] == {POISON: True})

    def read(self, received: Received) -> dict[str, Any]:
        result = receive(self.keyring, "app", CIMultiDict(received.headers), received.body, 0)
        assert isinstance(result, Event), result
        return result.envelope.document()

    def _whole(self, read: dict[str, Any]) -> dict[str, Any]:
        sent = self._sent[read["id"]].document()
        return read | {name: sent[name] for name in ("subject", "partitionkey", "recordedtime")}


class RememberingSink(HttpSink):
    def __init__(self, settings: HttpSettings, sent: dict[str, Envelope]) -> None:
        super().__init__(settings)
        self._sent = sent

    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        self._sent.update({envelope.id: envelope for envelope in batch})
        return await super().deliver(batch)


def documents(received: Received) -> list[dict[str, Any]]:
    """The events of a request, put together again from what the format says."""
    match received.headers["content-type"]:
        case "application/cloudevents-batch+json":
            return list(json.loads(received.body))
        case "application/cloudevents+json":
            return [json.loads(received.body)]
    attributes = {name[3:]: unquote(value) for name, value in received.headers.items() if name.startswith("ce-")}
    data = json.loads(received.body)
    return [attributes | {"datacontenttype": received.headers["content-type"], "data": data}]


class HttpContract(SinkContract, UnreachableContract, RecoveryContract, RejectionContract):
    format_ = ""
    target_type = HttpTarget

    @pytest.fixture
    async def target(self) -> AsyncIterator[HttpTarget]:
        async with Receiver() as receiver:
            with socket.socket() as held:
                held.bind(("127.0.0.1", 0))
                yield self.target_type(receiver, self.format_, held)


class TestStructured(HttpContract):
    format_ = "structured"


class TestBinary(HttpContract):
    format_ = "binary"


class TestBatch(HttpContract):
    format_ = "batch"


class TestFeishu(HttpContract):
    format_ = "feishu"
    target_type = FeishuTarget
