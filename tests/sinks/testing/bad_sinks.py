"""Sinks that break the contract, one way each, and one that keeps it. Run by `test_suite.py`, in a process of its own."""

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from router.envelope import Envelope
from sinks.contract import DELIVERED, FOLLOWS, Outcome, Rejected, Retry, SinkType, Unavailable
from sinks.settings import SinkSettings
from sinks.testing.suite import RejectingTarget, RejectionContract, SinkContract, make_envelope

SECRET = "a-secret"


class ListSink:
    """Keeps the contract: into a list."""

    max_events = 50
    max_bytes = 1 << 20
    concurrency = 1
    keeps_order = True

    def __init__(self, there: list[Envelope]) -> None:
        self.there = there
        self.is_open = False

    async def open(self) -> None:
        self.is_open = True

    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        if not self.is_open:
            return [Unavailable("closed")] * len(batch)
        failed: set[str] = set()
        return [self.put(envelope, failed) for envelope in batch]

    def put(self, envelope: Envelope, failed: set[str]) -> Outcome:
        if envelope.partitionkey in failed:
            return FOLLOWS
        if b"poison" in envelope.json:
            failed.add(envelope.partitionkey)
            return Rejected("poison")
        self.there.append(envelope)
        return DELIVERED

    async def close(self) -> None:
        self.is_open = False

    def scope(self, envelope: Envelope) -> str:
        return ""


class Loses(ListSink):
    def put(self, envelope: Envelope, failed: set[str]) -> Outcome:
        return DELIVERED if envelope.id.endswith("9") else super().put(envelope, failed)


class BreaksOrder(ListSink):
    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        return list(reversed(await super().deliver(list(reversed(batch)))))


class LetsFollowersPass(ListSink):
    def put(self, envelope: Envelope, failed: set[str]) -> Outcome:
        return super().put(envelope, set())


class DeliversTooEarly(ListSink):
    waiting: list[Envelope]

    async def open(self) -> None:
        await super().open()
        self.waiting = []

    def put(self, envelope: Envelope, failed: set[str]) -> Outcome:
        self.waiting.append(envelope)
        return DELIVERED

    async def close(self) -> None:
        if self.is_open:
            self.there += self.waiting
        await super().close()


class ClosesOnce(ListSink):
    async def close(self) -> None:
        if not self.is_open:
            raise RuntimeError("closed already")
        await super().close()


class RaisesWhenClosed(ListSink):
    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        if not self.is_open:
            raise RuntimeError("not open")
        return await super().deliver(batch)


class CountsWrongly(ListSink):
    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        return list(dict.fromkeys(await super().deliver(batch)))


class ChangesData(ListSink):
    def put(self, envelope: Envelope, failed: set[str]) -> Outcome:
        changed = envelope.json.replace(b"9007199254740993", b"9007199254740992").replace("飞".encode(), b"?")
        return super().put(envelope._replace(json=changed), failed)


class RejectsTheOthers(ListSink):
    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        outcomes = await super().deliver(batch)
        return [Retry("bad_batch")] * len(batch) if any(isinstance(each, Rejected) for each in outcomes) else outcomes


class TellsSecrets(ListSink):
    def __repr__(self) -> str:
        return f"TellsSecrets(password={SECRET!r})"


class Forgets(ListSink):
    """Is broken by a cancelled delivery."""

    lock = False

    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        if self.lock:
            return [Unavailable("busy")] * len(batch)
        self.lock = True
        await asyncio.sleep(0)
        outcomes = await super().deliver(batch)
        self.lock = False
        return outcomes


class HasRestlessScopes(ListSink):
    def scope(self, envelope: Envelope) -> str:
        return envelope.id


class ListTarget(RejectingTarget):
    secrets = (SECRET,)

    def __init__(self, kind: type[ListSink]) -> None:
        self.there: list[Envelope] = []
        self.sink_type = SinkType(SinkSettings, lambda _name, _settings: kind(self.there), lambda _settings: "a list")

    def settings(self) -> SinkSettings:
        return SinkSettings(type="list")

    async def arrived(self) -> list[dict[str, Any]]:
        return [envelope.document() for envelope in self.there]

    def poisoned(self, number: int) -> Envelope:
        return make_envelope(number, data="poison")


class TestListSink(SinkContract, RejectionContract):
    kind: ClassVar[type[ListSink]] = ListSink

    @pytest.fixture
    def target(self) -> ListTarget:
        return ListTarget(self.kind)


class TestLoses(TestListSink):
    kind = Loses


class TestBreaksOrder(TestListSink):
    kind = BreaksOrder


class TestLetsFollowersPass(TestListSink):
    kind = LetsFollowersPass


class TestDeliversTooEarly(TestListSink):
    kind = DeliversTooEarly


class TestClosesOnce(TestListSink):
    kind = ClosesOnce


class TestRaisesWhenClosed(TestListSink):
    kind = RaisesWhenClosed


class TestCountsWrongly(TestListSink):
    kind = CountsWrongly


class TestChangesData(TestListSink):
    kind = ChangesData


class TestRejectsTheOthers(TestListSink):
    kind = RejectsTheOthers


class TestTellsSecrets(TestListSink):
    kind = TellsSecrets


class TestForgets(TestListSink):
    kind = Forgets


class TestHasRestlessScopes(TestListSink):
    kind = HasRestlessScopes
