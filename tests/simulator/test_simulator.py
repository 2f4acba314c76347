"""Feishu's behaviour on both roads: the ladder, order, copies, and the account of it."""

import asyncio
from collections import Counter

import aiohttp
import orjson
import pytest
from aiohttp import web

from router.feishu.samples import fresh, sample
from router.simulator.account import State
from router.simulator.endpoint import App
from router.simulator.simulator import APP_ID, LADDER, Behaviour, Simulator
from tests.doubles.receiver import Received, Receiver, reply
from tests.doubles.waiting import until
from tests.simulator.clients import Client

TYPE, OTHER = "corehr.department.updated_v2", "corehr.approval_groups.updated_v2"


class PatientClock:
    """Notes how long it was to sleep, and wakes when told to."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.go = asyncio.Event()

    def wall(self) -> float:
        return 1e9

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await self.go.wait()


def numbered(number: int, type_: str = TYPE) -> dict[str, object]:
    push = fresh(sample(type_), 1e9, "")
    push["event"] = push["event"] | {"number": number}
    return push


def numbers(receiver: Receiver) -> list[int]:
    return [orjson.loads(request.body)["event"]["number"] for request in receiver.requests]


async def test_whoever_waits_for_an_event_learns_of_its_end() -> None:
    async with Receiver() as receiver, Simulator([App("cli_a", webhook=receiver.url)]) as feishu:
        record = feishu.push(numbered(1))
        async with asyncio.timeout(30):
            await asyncio.gather(feishu.ended(record), feishu.ended(record))
        assert record.state is State.ACCEPTED
        await feishu.ended(record)


async def test_its_answers_do_not_say_what_it_is_made_with() -> None:
    async with Simulator() as feishu, Client(feishu.domain) as client:
        await client.connect()
        async with aiohttp.ClientSession() as http, http.get(feishu.domain) as answer:
            servers = {answer.headers["Server"], client.websocket._response.headers["Server"]}
        assert servers == {"feishu-event-router"}


async def test_the_ladder_then_it_is_lost() -> None:
    clock = PatientClock()
    clock.go.set()
    told: list[str] = []
    async with (
        Receiver(behave=reply(503)) as receiver,
        Simulator([App("cli_a", webhook=receiver.url)], Behaviour(compress=100.0), clock, told.append) as feishu,
    ):
        record = await feishu.deliver(numbered(1))
        assert record.state is State.LOST
        assert clock.waits == [seconds / 100.0 for seconds in LADDER]
        assert numbers(receiver) == [1] * 5
        assert len({orjson.loads(request.body)["header"]["event_id"] for request in receiver.requests}) == 1
        assert not feishu.report().good
        assert any("LOST" in line and record.id in line for line in told)


async def test_an_ordered_type_waits_for_its_own_and_for_no_other() -> None:
    async def picky(server: Receiver, request: web.BaseRequest, received: Received) -> web.StreamResponse:
        refuse = orjson.loads(received.body)["event"]["number"] == 1 and not clock.go.is_set()
        return web.Response(status=500 if refuse else 200)

    clock = PatientClock()
    async with (
        Receiver(behave=picky) as receiver,
        Simulator([App("cli_a", webhook=receiver.url)], Behaviour(ordered=frozenset([TYPE])), clock) as feishu,
    ):
        records = [feishu.push(numbered(number)) for number in (1, 2, 3)]
        for number in (4, 5):
            await feishu.deliver(numbered(number, OTHER))
        assert sorted(numbers(receiver)) == [1, 4, 5]
        clock.go.set()
        await feishu.settled()
        assert numbers(receiver)[-3:] == [1, 2, 3]
        assert all(record.state is State.ACCEPTED for record in records)


async def test_a_queue_of_its_own_goes_on_behind_a_lost_one() -> None:
    clock = PatientClock()
    clock.go.set()
    async with (
        Receiver(behave=reply(500)) as receiver,
        Simulator([App("cli_a", webhook=receiver.url)], clock=clock) as feishu,
    ):
        for number in (1, 2):
            feishu.push(numbered(number), queue="d1")
        await feishu.settled()
        assert numbers(receiver) == [1] * 5 + [2] * 5
        assert feishu.report().lost == 2


async def test_a_share_comes_again_after_a_200() -> None:
    clock = PatientClock()
    clock.go.set()
    async with (
        Receiver() as receiver,
        Simulator([App("cli_a", webhook=receiver.url)], Behaviour(duplicates=0.5), clock) as feishu,
    ):
        await feishu.run((numbered(number) for number in range(200)), at_once=20)
        await feishu.settled()
        counts = Counter(numbers(receiver))
        assert set(counts) == set(range(200))
        assert set(counts.values()) == {1, 2}
        report = feishu.report()
        assert 60 < report.copies < 140
        assert report.attempts == len(receiver.requests) == 200 + report.copies
        assert report.accepted == 200
        assert receiver.most_at_once <= 21


async def test_without_a_rate_what_fails_holds_back_the_others_and_with_one_it_does_not() -> None:
    clock = PatientClock()
    async with (
        Receiver(behave=reply(500)) as receiver,
        Simulator([App("cli_a", webhook=receiver.url)], clock=clock) as feishu,
    ):
        work = asyncio.create_task(feishu.run((numbered(number) for number in range(9)), at_once=4))
        await until(lambda: len(clock.waits) == 4)
        assert sorted(numbers(receiver)) == [0, 1, 2, 3]
        await feishu.run((numbered(number) for number in range(10, 15)), rate=1000.0, at_once=4)
        await until(lambda: len(clock.waits) == 9)
        assert not work.done()
        clock.go.set()
        await work
        await feishu.settled()
        assert feishu.report().lost == 14


async def test_no_more_at_once_than_wanted_and_no_faster() -> None:
    async with Receiver() as receiver, Simulator([App("cli_a", webhook=receiver.url)]) as feishu:
        begun = asyncio.get_running_loop().time()
        await feishu.run((numbered(number) for number in range(21)), rate=100.0, at_once=1)
        await feishu.settled()
        assert asyncio.get_running_loop().time() - begun >= 0.2
        assert receiver.most_at_once == 1


async def test_an_app_with_both_roads_gets_each_event_by_one_of_them() -> None:
    async with Receiver() as receiver:
        app = App(APP_ID, "s" * 20, receiver.url)
        async with Simulator([app]) as feishu, Client(feishu.domain, APP_ID, "s" * 20) as client:
            await client.connect()
            await until(lambda: feishu.connections(APP_ID) == 1)
            await feishu.run(numbered(number) for number in range(40))
            await feishu.settled()
            got = [each["event"]["number"] for each in client.documents]
            assert sorted([*map(int, got), *numbers(receiver)]) == list(range(40))
            assert got
            assert receiver.requests
            record = await feishu.deliver(numbered(41), road="webhook")
            again = await feishu.deliver(numbered(41), road="long_connection")
            assert {record.attempts[0].road, again.attempts[0].road} == {"webhook", "long_connection"}


async def test_apps_are_apart() -> None:
    apps = [App("cli_a", "s" * 20), App("cli_b", "t" * 20)]
    async with Simulator(apps) as feishu, Client(feishu.domain, "cli_b", "t" * 20) as client:
        await client.connect()
        await until(lambda: feishu.connections("cli_b") == 1)
        assert feishu.connections("cli_a") == 0
        first = feishu.push(numbered(1))
        assert first.attempts[0].answer == "nobody connected"
        assert (await feishu.deliver(numbered(2), app_id="cli_b")).state is State.ACCEPTED
        with pytest.raises(KeyError):
            feishu.push(numbered(3), app_id="cli_c")


async def test_an_address_of_the_sixth_version_and_closing_twice() -> None:
    feishu = Simulator()
    assert (await feishu.start("::1")).startswith("http://[::1]:")
    await feishu.close()
    await feishu.close()
