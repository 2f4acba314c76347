"""Events over long connections: one of them each, acknowledged in time, whatever goes wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from router.feishu import frames
from router.feishu.discovery import ClientConfig
from router.feishu.samples import sample, seed_types
from router.simulator.account import LATE, State
from router.simulator.faults import FAULTS, Moment
from router.simulator.long_connection import LOST, NOBODY, NONSENSE
from router.simulator.pushes import Push
from router.simulator.simulator import Behaviour, Simulator
from tests.doubles.waiting import until
from tests.simulator.clients import Client

DOCUMENT = sample("corehr.department.updated_v2")


@asynccontextmanager
async def connected(count: int = 1, **behaviour: Any) -> AsyncIterator[tuple[Simulator, list[Client]]]:
    chosen = Behaviour(**{"compress": 1000.0, "answer_seconds": 0.3, **behaviour})
    clients: list[Client] = []
    async with Simulator(behaviour=chosen) as feishu:
        try:
            for _ in range(count):
                client = await Client(feishu.domain).__aenter__()
                clients.append(client)
                await client.connect()
            await until(lambda: feishu.connections() == count)
            yield feishu, clients
        finally:
            for client in clients:
                await client.__aexit__()


async def test_the_five_events_whole_each_to_one_connection() -> None:
    async with connected(3) as (feishu, clients):
        for _ in range(8):
            for type_ in seed_types():
                record = await feishu.deliver(sample(type_))
                assert record.state is State.ACCEPTED
        got = [document for client in clients for document in client.documents]
        assert len(got) == 40
        assert all(client.events for client in clients), "not at random"
        assert {each["header"]["event_type"]: each["event"] for each in got} == {
            type_: sample(type_)["event"] for type_ in seed_types()
        }
        assert {each["header"]["token"] for each in got} == {""}
        assert feishu.report().answers == {"long_connection": {"200": 40}}


async def test_another_code_and_no_connection_are_failures_that_are_tried_again() -> None:
    async with connected() as (feishu, (client,)):
        client.code = 500
        record = feishu.push(DOCUMENT)
        await until(lambda: len(record.attempts) == 1)
        client.code = 200
        await feishu.settled()
        assert [attempt.answer for attempt in record.attempts] == ["500", "200"]
        feishu.hang_up()
        await until(lambda: not feishu.connections())
        record = await feishu.deliver(DOCUMENT)
        assert [attempt.answer for attempt in record.attempts] == [NOBODY] * 5
        assert record.state is State.LOST


async def test_what_is_under_way_on_a_connection_that_we_end_failed_by_our_doing() -> None:
    async with connected(compress=0.01) as (feishu, (client,)):
        client.code = None
        feishu.push(DOCUMENT)
        await until(lambda: len(client.got) == 1)
        feishu.faults.order("reset")
        feishu.push(DOCUMENT)
        await until(lambda: feishu.report().answers == {"long_connection": {LOST: 2}})
        assert (feishu.report().waiting, feishu.report().failing) == (2, 0)


async def test_no_acknowledgement_in_time_and_one_that_comes_late() -> None:
    async with connected() as (feishu, (client,)):
        client.code = None
        record = feishu.push(DOCUMENT)
        await until(lambda: len(client.got) >= 1)
        frame = client.got[0]
        client.code = 200
        await feishu.settled()
        assert [attempt.answer for attempt in record.attempts] == [LATE, "200"]
        await client.websocket.send_bytes(frames.ack(frame, 200, 1))
        await until(lambda: feishu.long.late_acks == 1)
        await client.websocket.send_bytes(frames.ack(frame, 200, 1))
        await client.websocket.send_bytes(b"\xff")
        await client.websocket.send_str("hello")
        await feishu.deliver(DOCUMENT)
        assert feishu.long.late_acks == 1
        assert feishu.report().late == 1


async def test_an_acknowledgement_without_a_code() -> None:
    async with connected() as (feishu, (client,)):
        client.code = None
        record = feishu.push(DOCUMENT)
        await until(lambda: len(client.got) == 1)
        await client.websocket.send_bytes(frames.encode(client.got[0]))
        client.code = 200
        await feishu.settled()
        assert record.attempts[0].answer == NONSENSE


async def test_pings_are_answered_with_the_configuration_in_force() -> None:
    async with connected() as (feishu, (client,)):
        await client.ping()
        await until(lambda: len(client.pongs) == 1)
        assert orjson.loads(client.pongs[0].payload or b"") == feishu.behaviour.config.document()
        feishu.configure(ClientConfig(3, 4, 5, 6))
        await client.ping()
        await until(lambda: len(client.pongs) == 2)
        assert orjson.loads(client.pongs[1].payload or b"") == ClientConfig(3, 4, 5, 6).document()


@pytest.mark.parametrize("fault", [name for name, (moment, _) in FAULTS.items() if moment is Moment.PONG])
async def test_each_fault_of_a_pong(fault: str) -> None:
    async with connected(config=ClientConfig(-1, 2, 1, 1)) as (feishu, (client,)):
        feishu.faults.order(fault)
        await client.ping()
        await until(lambda: feishu.long.pings == 1)
        if fault == "no-pong":
            await client.ping()  # is answered: nothing else comes before it
        await until(lambda: len(client.pongs) == 1)
        payload = client.pongs[0].payload or b""
        usual = orjson.dumps(feishu.behaviour.config.document())
        assert (payload == usual) == (fault in ("no-pong", "late-pong"))
        if fault == "config":
            assert orjson.loads(payload)["PingInterval"] == 1


CUTTING = ("drop-mid-frame", "reset", "close")
UNANSWERED = {"lost": LATE, "split-lost": LATE} | dict.fromkeys(CUTTING, LOST)
ONE_BY_ONE = [name for name, (moment, _) in FAULTS.items() if moment is Moment.FRAME and name != "half-open"]


@pytest.mark.parametrize("fault", ONE_BY_ONE)
async def test_each_fault_of_a_frame_loses_nothing(fault: str) -> None:
    async with connected(2, answer_seconds=3.0 if fault == "slow-frame" else 0.5) as (feishu, clients):
        feishu.faults.order(fault)
        record = await feishu.deliver(DOCUMENT)
        assert record.state is State.ACCEPTED
        assert record.attempts[0].fault == fault
        assert record.attempts[0].answer == UNANSWERED.get(fault, "200")
        await until(lambda: feishu.connections() == (1 if fault in CUTTING else 2))
        await until(lambda: sum(len(client.events) for client in clients) == (2 if fault == "duplicate-frame" else 1))
        assert all(document == DOCUMENT for client in clients for document in client.documents)
        types = {type_ for client in clients for type_ in client.types}
        assert types == {"card" if fault == "card" else "event"}
        assert feishu.report().late == 0, "our own doing"


async def test_a_silent_connection_is_chosen_like_any_other_until_it_is_gone() -> None:
    async with connected() as (feishu, (client,)):
        feishu.faults.order("half-open")
        first = feishu.push(DOCUMENT)
        await until(lambda: len(first.attempts) == 1)
        await client.ping()
        second = feishu.push(DOCUMENT)
        await until(lambda: len(second.attempts) == 1)
        assert [first.attempts[0].answer, second.attempts[0].answer] == [LATE, LATE]
        assert feishu.report().late == 0, "our own doing"
        assert not client.pongs
        assert feishu.connections() == 1
        assert feishu.hang_up() == 1
        await until(client.ended.is_set)
        assert not client.events


@pytest.mark.parametrize("size", [125, 126, 127, 65_535, 65_536, 300_000])
async def test_frames_of_every_length_come_whole(size: int) -> None:
    async with connected(answer_seconds=3.0) as (feishu, (client,)):
        push = Push("e", "t", b"x" * size)
        assert (await feishu.deliver(push)).state is State.ACCEPTED
        assert client.events == [push.body]


async def test_what_comes_slowly_holds_back_what_follows_on_its_connection() -> None:
    async with connected(answer_seconds=3.0) as (feishu, (client,)):
        feishu.faults.order("slow-frame")
        feishu.push(DOCUMENT)
        feishu.push(sample("corehr.approval_groups.updated_v2"))
        await client.ping()
        await feishu.settled()
        types = [each["header"]["event_type"] for each in client.documents]
        assert types == ["corehr.department.updated_v2", "corehr.approval_groups.updated_v2"]
        await until(lambda: len(client.pongs) == 1)


async def test_a_close_that_nobody_answers_is_cut() -> None:
    async with connected() as (feishu, (client,)):
        client._reading.cancel()
        await asyncio.gather(client._reading, return_exceptions=True)
        assert feishu.hang_up("close") == 1
        await until(lambda: not feishu.connections())
