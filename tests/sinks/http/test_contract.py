"""The conformance suite of sinks, in each format that carries the whole event."""

import json
import socket
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

import pytest
from aiohttp import web
from pydantic import SecretStr

from router.envelope import Envelope
from sinks.contract import Sink
from sinks.http import SINK
from sinks.http.settings import HttpSettings
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
    secrets = ("bearer-secret", "header-secret", "signing-secret-of-24-bytes", "query-secret")

    def __init__(self, receiver: Receiver, format_: str, held: socket.socket) -> None:
        self._held = held
        self._receiver = receiver
        self._format = format_
        self._accepted: list[Received] = []
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
        return [document for received in self._accepted for document in documents(received)]

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
        if POISON.encode() in received.body:
            return web.Response(status=422)
        self._accepted.append(received)
        return web.Response(status=204)


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

    @pytest.fixture
    async def target(self) -> AsyncIterator[HttpTarget]:
        async with Receiver() as receiver:
            with socket.socket() as held:
                held.bind(("127.0.0.1", 0))
                yield HttpTarget(receiver, self.format_, held)


class TestStructured(HttpContract):
    format_ = "structured"


class TestBinary(HttpContract):
    format_ = "binary"


class TestBatch(HttpContract):
    format_ = "batch"
