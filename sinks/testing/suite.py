"""What every sink must do. A sink joins with a `Target`, and a test class that inherits what it can be asked.

class TestMine(SinkContract, UnreachableContract):
    @pytest.fixture
    def target(self, tmp_path) -> MyTarget:
        return MyTarget(tmp_path)
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import pytest

from router.envelope import Envelope
from sinks.contract import Delivered, Outcome, Rejected, Retry, Sink, SinkType, Unavailable
from sinks.settings import SinkSettings
from sinks.testing.events import TRICKY, make_envelope
from sinks.testing.targets import RecoveringTarget, RejectingTarget, Target, UnreachableTarget

__all__ = [
    "RecoveringTarget",
    "RecoveryContract",
    "RejectingTarget",
    "RejectionContract",
    "SinkContract",
    "Target",
    "UnreachableContract",
    "UnreachableTarget",
    "make_envelope",
]

PATIENCE = 30.0
"""No call of a sink may take longer than this, whatever its target does. Seconds."""
T = TypeVar("T")


async def soon(call: Awaitable[T]) -> T:
    """The result, or a failure after PATIENCE."""
    async with asyncio.timeout(PATIENCE):
        return await call


async def delivered(sink: Sink, batch: Sequence[Envelope]) -> None:
    """Deliver, and insist."""
    outcomes = await soon(sink.deliver(batch))
    assert [type(outcome) for outcome in outcomes] == [Delivered] * len(batch), list(outcomes)[:3]


def by_key(documents: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Ids in order for each partition key, copies dropped."""
    ids: dict[str, dict[str, None]] = defaultdict(dict)
    for document in documents:
        ids[document["partitionkey"]][document["id"]] = None
    return {key: list(found) for key, found in ids.items()}


class SinkContract:
    """For all sinks."""

    pytestmark = pytest.mark.asyncio

    @pytest.fixture
    def target(self) -> Target:
        raise NotImplementedError("the test class gives the target")

    async def test_declares_sane_facts(self, target: Target) -> None:
        sink = target.build()
        assert sink.max_events >= 1
        assert sink.max_bytes >= 1 << 16
        assert sink.concurrency >= 1
        assert isinstance(sink.keeps_order, bool)

    async def test_has_a_type_with_settings_and_a_short_description(self, target: Target) -> None:
        assert isinstance(target.sink_type, SinkType)
        assert issubclass(target.sink_type.settings, SinkSettings)
        description = target.sink_type.describe(target.settings())
        assert description
        assert len(description.splitlines()) == 1

    async def test_opens_and_closes_more_than_once(self, target: Target) -> None:
        sink = target.build()
        for _ in range(2):
            await soon(sink.open())
            await soon(sink.close())
            await soon(sink.close())

    async def test_closes_without_being_opened(self, target: Target) -> None:
        await soon(target.build().close())

    async def test_delivers_again_after_it_was_closed_and_opened(self, target: Target) -> None:
        sink = target.build()
        for number in (1, 2):
            await soon(sink.open())
            await delivered(sink, [make_envelope(number)])
            await soon(sink.close())
        assert by_key(await target.arrived()) == {make_envelope().partitionkey: ["event-1", "event-2"]}

    async def test_what_is_delivered_can_be_read_at_once(self, target: Target) -> None:
        sink = target.build()
        await soon(sink.open())
        try:
            for number in range(3):
                await delivered(sink, [make_envelope(number)])
                assert f"event-{number}" in {document["id"] for document in await target.arrived()}
        finally:
            await soon(sink.close())

    async def test_gives_an_outcome_for_each_event_also_for_none(self, target: Target) -> None:
        sink = target.build()
        await soon(sink.open())
        try:
            assert list(await soon(sink.deliver([]))) == []
            for size in (1, min(7, sink.max_events)):
                await delivered(sink, [make_envelope(number) for number in range(size)])
        finally:
            await soon(sink.close())

    @pytest.mark.parametrize("name", sorted(TRICKY))
    async def test_data_arrives_unharmed(self, target: Target, name: str) -> None:
        envelope = make_envelope(data=TRICKY[name], subject="部门/1 ?#%", feishuheader='{"x":"é"}')
        sink = target.build()
        await soon(sink.open())
        try:
            await delivered(sink, [envelope])
        finally:
            await soon(sink.close())
        assert await target.arrived() == [envelope.document()]

    async def test_the_order_of_each_subject_is_kept(self, target: Target) -> None:
        sink = target.build()
        await soon(sink.open())
        events = [make_envelope(number, subject=f"od-{number % 3}") for number in range(60)]
        step = min(20, sink.max_events) if sink.keeps_order else 1
        try:
            for start in range(0, len(events), step):
                await delivered(sink, events[start : start + step])
        finally:
            await soon(sink.close())
        assert by_key(await target.arrived()) == by_key([event.document() for event in events])

    @pytest.mark.parametrize("fill", ["events", "bytes"])
    async def test_takes_the_largest_batch_it_declares(self, target: Target, fill: str) -> None:
        sink = target.build()
        if fill == "events":
            events = [make_envelope(number, subject=str(number)) for number in range(sink.max_events)]
            while sum(len(event.json) for event in events) > sink.max_bytes:
                events.pop()
        else:
            large = {"text": "x" * (200 << 10)}
            fitting = sink.max_bytes // len(make_envelope(data=large).json)
            count = max(1, min(fitting, sink.max_events, 40))
            events = [make_envelope(number, subject=str(number), data=large) for number in range(count)]
        await soon(sink.open())
        try:
            await delivered(sink, events)
        finally:
            await soon(sink.close())
        assert {document["id"] for document in await target.arrived()} == {event.id for event in events}

    async def test_as_many_deliveries_at_once_as_it_declares(self, target: Target) -> None:
        sink = target.build()
        await soon(sink.open())
        count = min(sink.concurrency, 16)
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(count):
                    group.create_task(delivered(sink, [make_envelope(number, subject=str(number))]))
        finally:
            await soon(sink.close())
        assert {document["id"] for document in await target.arrived()} == {f"event-{n}" for n in range(count)}

    async def test_a_scope_is_pure_and_the_same_for_equal_events(self, target: Target) -> None:
        sink = target.build()
        for type_ in ("corehr.department.updated_v2", "", "..", "a/b\0", "飞书", "x" * 500):
            first, second = make_envelope(1, type_=type_), make_envelope(2, type_=type_)
            assert isinstance(sink.scope(first), str)
            assert sink.scope(first) == sink.scope(first) == target.build().scope(second)

    async def test_a_cancelled_delivery_leaves_it_usable(self, target: Target) -> None:
        sink = target.build()
        await soon(sink.open())
        try:
            for turns in range(6):
                task = asyncio.ensure_future(sink.deliver([make_envelope(turns)]))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task], timeout=PATIENCE)
                assert task.done()
            await delivered(sink, [make_envelope(100)])
        finally:
            await soon(sink.close())
        assert "event-100" in {document["id"] for document in await target.arrived()}

    async def test_closes_after_a_cancelled_delivery(self, target: Target) -> None:
        sink = target.build()
        await soon(sink.open())
        task = asyncio.ensure_future(sink.deliver([make_envelope()]))
        await asyncio.sleep(0)
        task.cancel()
        await soon(sink.close())
        await asyncio.wait([task], timeout=PATIENCE)
        assert task.done()

    @pytest.mark.parametrize("opened_before", [False, True])
    async def test_delivering_while_closed_is_unavailable(self, target: Target, *, opened_before: bool) -> None:
        sink = target.build()
        if opened_before:
            await soon(sink.open())
            await soon(sink.close())
        outcomes = await soon(sink.deliver([make_envelope(1), make_envelope(2)]))
        assert [type(outcome) for outcome in outcomes] == [Unavailable, Unavailable]
        await soon(sink.close())

    async def test_shows_no_secret(self, target: Target) -> None:
        sink = target.build()
        shown = [repr(sink), str(sink), repr(target.settings()), target.sink_type.describe(target.settings())]
        shown.append(repr(list(await soon(sink.deliver([make_envelope()])))))
        _assert_hidden(target, shown)


class UnreachableContract:
    """For sinks whose target may be away when they start: all that have one."""

    pytestmark = pytest.mark.asyncio

    async def test_an_unreachable_target_is_unavailable(self, target: UnreachableTarget) -> None:
        sink = target.unreachable()
        batch = [make_envelope(number, subject=str(number)) for number in range(3)]
        shown = [repr(sink), str(await _open_anyhow(sink))]
        outcomes = await soon(sink.deliver(batch))
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * len(batch), outcomes
        await soon(sink.close())
        await soon(sink.close())
        _assert_hidden(target, [*shown, repr(list(outcomes))])

    async def test_reasons_are_short_words(self, target: UnreachableTarget) -> None:
        sink = target.unreachable()
        assert await _open_anyhow(sink) != "", "an error without words helps nobody"
        for outcome in await soon(sink.deliver([make_envelope()])):
            assert isinstance(outcome, Unavailable)
            assert outcome.reason.replace("_", "").isalnum()
            assert len(outcome.reason) <= 40
            assert outcome.scope in {"", sink.scope(make_envelope())}
        await soon(sink.close())


class RecoveryContract:
    """For sinks whose target can be taken away and brought back in a test."""

    pytestmark = pytest.mark.asyncio

    async def test_nothing_is_lost_in_an_outage(self, target: RecoveringTarget) -> None:
        sink = target.build()
        await soon(sink.open())
        try:
            await delivered(sink, [make_envelope(1)])
            await target.go_away()
            batch = [make_envelope(2), make_envelope(3)]
            outcomes = await soon(sink.deliver(batch))
            assert {type(outcome) for outcome in outcomes} <= {Unavailable, Retry}, outcomes
            assert isinstance(outcomes[0], Unavailable)
            await target.come_back()
            await _delivered_in_the_end(sink, batch)
        finally:
            await soon(sink.close())
        assert by_key(await target.arrived()) == {make_envelope().partitionkey: ["event-1", "event-2", "event-3"]}


class RejectionContract:
    """For sinks whose target refuses some events for good."""

    pytestmark = pytest.mark.asyncio

    async def test_only_the_poisoned_event_is_rejected(self, target: RejectingTarget) -> None:
        sink = target.build()
        await soon(sink.open())
        try:
            assert isinstance((await soon(sink.deliver([target.poisoned(1)])))[0], Rejected)
            await delivered(sink, [make_envelope(2)])
        finally:
            await soon(sink.close())
        assert "event-2" in {document["id"] for document in await target.arrived()}

    async def test_none_of_its_subject_passes_it_in_its_batch(self, target: RejectingTarget) -> None:
        sink = target.build()
        if not sink.keeps_order or sink.max_events < 3:
            return
        await soon(sink.open())
        try:
            batch = [target.poisoned(1), make_envelope(2), make_envelope(3, subject="od-2")]
            first, second, other = await soon(sink.deliver(batch))
            assert isinstance(first, Rejected)
            assert second == Retry("follows", getattr(second, "detail", ""))
            assert isinstance(other, Delivered)
        finally:
            await soon(sink.close())


async def _open_anyhow(sink: Sink) -> str | None:
    """Open it; the error's words if it raised."""
    try:
        await soon(sink.open())
    except Exception as error:  # noqa: BLE001 - open() may raise what it likes
        return str(error)
    return None


async def _delivered_in_the_end(sink: Sink, batch: Sequence[Envelope]) -> None:
    """As a lane does: again until it is delivered."""
    outcomes: Sequence[Outcome] = ()
    async with asyncio.timeout(PATIENCE):
        while not outcomes or not all(isinstance(outcome, Delivered) for outcome in outcomes):
            outcomes = await sink.deliver(batch)
            await asyncio.sleep(0.05)


def _assert_hidden(target: Target, shown: Sequence[str]) -> None:
    for secret in target.secrets:
        assert not any(secret in text for text in shown), "a secret is shown"
