"""A connection to a stand-in for the router: made, lost, made again, refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from router.commands.listener import Listener, ListenError
from router.feishu.discovery import ClientConfig
from router.feishu.samples import fresh, sample
from router.ingress.replies import SUCCESS, Reply
from router.settings.model import AppSettings
from router.simulator.account import State
from router.simulator.simulator import APP_ID, APP_SECRET, Behaviour, Simulator
from tests.doubles.waiting import until

QUICK = Behaviour(config=ClientConfig(-1, 1.0, 1.0, 10.0))
TYPE = "corehr.department.updated_v2"


class Taker:
    def __init__(self) -> None:
        self.payloads: list[bytes] = []

    def take(self, payload: bytes, begun: float) -> Reply:
        self.payloads.append(payload)
        return SUCCESS

    def late(self) -> None:
        raise AssertionError("nothing is late here")


def source(domain: str, secret: str = APP_SECRET) -> AppSettings:
    return AppSettings(mode="long_connection", domain=domain, app_id=APP_ID, app_secret=SecretStr(secret))


class Running:
    def __init__(self, domain: str) -> None:
        self.taker = Taker()
        self.said: list[str] = []
        self.stop = asyncio.Event()
        self.task = asyncio.ensure_future(Listener(source(domain), self.taker, 5.0, self.said.append).run(self.stop))

    def heard(self, words: str) -> bool:
        return any(words in line for line in self.said)


@asynccontextmanager
async def listening(behaviour: Behaviour = QUICK) -> AsyncIterator[tuple[Simulator, Running]]:
    async with Simulator(behaviour=behaviour) as feishu:
        running = Running(feishu.domain)
        try:
            yield feishu, running
        finally:
            running.stop.set()
            await asyncio.wait([running.task], timeout=30)
            assert running.task.done()


async def test_events_come_until_it_is_stopped() -> None:
    async with listening() as (feishu, running):
        await until(lambda: feishu.connections() == 1)
        assert (await feishu.deliver(fresh(sample(TYPE), 1e9, ""))).state is State.ACCEPTED
        assert len(running.taker.payloads) == 1
        running.stop.set()
        await asyncio.wait_for(running.task, 30)
        await until(lambda: feishu.connections() == 0)
    [line] = running.said
    assert line.startswith(f"Connected to {feishu.domain} as {APP_ID}")
    assert APP_SECRET not in line


async def test_a_lost_connection_is_made_again_and_told() -> None:
    async with listening() as (feishu, running):
        await until(lambda: feishu.connections() == 1)
        feishu.faults.order("http-503")
        feishu.hang_up()
        await until(lambda: running.heard("connection is lost"))
        await until(lambda: running.heard("HTTP 503"))
        await until(lambda: feishu.connections() == 1)
        assert (await feishu.deliver(fresh(sample(TYPE), 1e9, ""))).state is State.ACCEPTED
        assert sum(line.startswith("The next attempt is in") for line in running.said) == 2


async def test_it_ends_while_it_waits_to_connect_again() -> None:
    slow = Behaviour(config=ClientConfig(-1, 3000.0, 3000.0, 10.0))
    async with listening(slow) as (feishu, running):
        await until(lambda: feishu.connections() == 1)
        feishu.hang_up("close")
        await until(lambda: running.heard("The next attempt is in"))
        running.stop.set()
        await asyncio.wait_for(running.task, 30)


async def test_a_refusal_for_good_ends_it_also_later() -> None:
    async with listening() as (feishu, running):
        await until(lambda: feishu.connections() == 1)
        feishu.faults.order("code-403")
        feishu.hang_up()
        with pytest.raises(ListenError, match="forbidden"):
            await asyncio.wait_for(running.task, 30)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("code-514", "compare the app id and the secret with APP_ID and APP_SECRET of the sink"),
        ("http-503", "the router is ending, or has as many connections as it takes"),
        ("no-json", "is that the address of the router's FER_WS__LISTEN"),
        ("handshake-503", "handshake was answered HTTP 503"),
        ("http-500", "see that --domain is right"),
    ],
)
async def test_a_first_attempt_that_fails_ends_it_in_words(fault: str, words: str) -> None:
    async with Simulator(behaviour=QUICK) as feishu:
        feishu.faults.order(fault)
        with pytest.raises(ListenError) as caught:
            await Listener(source(feishu.domain), Taker(), 5.0, print).run(asyncio.Event())
        assert words in caught.value.message
        assert caught.value.message.count(feishu.domain) == 1
        assert APP_SECRET not in caught.value.message
        assert " DOMAIN" not in caught.value.message


async def test_nobody_is_there() -> None:
    async with Simulator() as feishu:
        domain = feishu.domain
    with pytest.raises(ListenError) as caught:
        await Listener(source(domain), Taker(), 5.0, print).run(asyncio.Event())
    assert "does the router run" in caught.value.message
    assert caught.value.message.count(domain) == 1


async def test_a_wrong_secret() -> None:
    async with Simulator() as feishu:
        with pytest.raises(ListenError, match="id or secret is wrong"):
            await Listener(source(feishu.domain, "a-wrong-one"), Taker(), 5.0, print).run(asyncio.Event())
