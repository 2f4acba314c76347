"""The HTTP sink's other end, in all its moods. It knows what it took, and what answers may have been lost."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from tests.crash.oracle.events import MARK
from tests.crash.oracle.facts import Arrival, flaw_in
from tests.crash.oracle.plan import HTTP_TIMEOUT, STATUSES, Fault, Plan
from tests.doubles.receiver import Received, Receiver, hang, hang_up, reset, reset_within

Answer = web.StreamResponse
SILENT = ("hang", "reset_after", "reset_before")


class MoodyReceiver:
    """Takes every event well until `mood` is set. failures: how often each event was not taken."""

    def __init__(self, plan: Plan, port: int) -> None:
        self.mood: Fault | None = None
        self.arrivals: list[Arrival] = []
        self.failures: Counter[int] = Counter()
        self.leaks: list[str] = []
        self.server = _Rude(self, port=port, behave=self._behave)
        self._plan = plan
        self._rng = random.Random(f"receiver {plan.seed}")

    async def _behave(self, receiver: Receiver, request: web.BaseRequest, received: Received) -> Answer:
        arrived = self._record(received)
        mood = self.mood
        begun = time.monotonic()
        try:
            answer = await self._answer(mood, arrived, receiver, request, received)
        except asyncio.CancelledError:
            for arrival in arrived:
                arrival.lost = True
            raise
        late = time.monotonic() - begun > HTTP_TIMEOUT - 0.5
        taken = 200 <= answer.status < 300 and (mood is None or mood.what not in SILENT)
        for arrival in arrived:
            arrival.lost = arrival.lost or late
            arrival.status = answer.status
            arrival.accepted = taken
        if not taken:
            self.failures.update(arrival.serial for arrival in arrived)
        return answer

    async def _answer(
        self, mood: Fault | None, arrived: list[Arrival], receiver: Receiver, request: web.BaseRequest, got: Received
    ) -> Answer:
        kinds = {self._plan.event(arrival.serial).kind for arrival in arrived}
        if kinds & {"rejected", "failing"}:
            return web.Response(status=422 if "rejected" in kinds else 500)
        if mood is None:
            return web.Response()
        match mood.what:
            case "status" | "retry_after":
                after = {"Retry-After": str(mood.number % 4)} if mood.what == "retry_after" else {}
                status = self._rng.choice([429, 503]) if after else mood.number
                return web.Response(status=status, headers=after)
            case "mixed":
                return web.Response(status=self._rng.choice(STATUSES) if self._rng.random() < 0.5 else 200)
            case "slow":
                await asyncio.sleep(self._rng.uniform(0.05, HTTP_TIMEOUT + 1))
                return web.Response()
            case "close":
                response = web.Response()
                response.force_close()
                return response
        self.failures.update(arrival.serial for arrival in arrived)
        for arrival in arrived:
            arrival.lost = True
        rude = {"hang": hang, "reset_after": reset, "reset_within": reset_within(200)}
        return await rude.get(mood.what, hang_up)(receiver, request, got)

    def _record(self, received: Received) -> list[Arrival]:
        at, mark = time.time(), MARK.encode()
        if mark in received.body or any(mark in value for _, value in received.raw_headers):
            self.leaks.append("a request of the HTTP sink")
        arrived: list[Arrival] = []
        for data, attributes in _events(received):
            serial = int(data["serial"])
            flaw = flaw_in(self._plan, serial, data, attributes)
            order, replayed = len(self.arrivals) + len(arrived), "replayedtime" in (attributes or {})
            arrived.append(Arrival(serial, order, "", at, accepted=False, flaw=flaw, replayed=replayed))
        self.arrivals += arrived
        return arrived


class _Rude(Receiver):
    """One that may reset a connection before it has read what came."""

    def __init__(self, owner: MoodyReceiver, **options: Any) -> None:
        super().__init__(**options)
        self._owner = owner

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        mood = self._owner.mood
        if mood is not None and mood.what == "reset_before":
            return await reset(self, request, Received("", "", {}, (), b"", ("", 0)))
        return await super()._handle(request)


def _events(received: Received) -> list[tuple[dict[str, Any], dict[str, Any] | None]]:
    """The data of each event in a request, with its attributes where the format has them."""
    kind = received.headers.get("content-type", "")
    body = json.loads(received.body)
    if kind.startswith("application/cloudevents-batch"):
        return [(each["data"], each) for each in body]
    if kind.startswith("application/cloudevents"):
        return [(body["data"], body)]
    return [(body, _binary(received.headers) if "ce-id" in received.headers else None)]


def _binary(headers: Mapping[str, str]) -> dict[str, Any]:
    return {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
