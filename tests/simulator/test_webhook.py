"""Events pushed to a webhook: challenge, encryption, token, time limit, faults."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from multidict import CIMultiDict

from router.feishu.callback import Challenge, Event, Keyring, receive
from router.feishu.samples import sample, seed_types
from router.simulator.account import LATE, State
from router.simulator.endpoint import App
from router.simulator.faults import FAULTS, Moment
from router.simulator.simulator import Behaviour, Simulator
from tests.doubles.ports import free_ports
from tests.doubles.receiver import Received, Receiver, hang_up, reply, stalling
from tests.doubles.waiting import until

KEY, TOKEN = "a key", "a token"
DOCUMENT = sample("corehr.department.updated_v2")


class Target:
    """What a receiver with these keys makes of the requests."""

    def __init__(self, key: str = KEY) -> None:
        self.keyring = Keyring([key] if key else [], [TOKEN])
        self.results: list[Any] = []

    async def __call__(self, receiver: Receiver, request: web.BaseRequest, received: Received) -> web.StreamResponse:
        result = receive(self.keyring, "", CIMultiDict(received.headers), received.body, 1e9)
        self.results.append(result)
        if isinstance(result, Challenge):
            return web.Response(body=result.answer)
        return web.Response(status=200 if isinstance(result, Event) else 401)


def feishu_for(receiver: Receiver, key: str = KEY, **behaviour: Any) -> Simulator:
    app = App("cli_a", "", receiver.url, key, TOKEN)
    return Simulator([app], Behaviour(**{"compress": 1e6, "answer_seconds": 0.5, **behaviour}))


@pytest.mark.parametrize("key", [KEY, ""])
async def test_encrypted_and_signed_or_plain_always_with_the_token(key: str) -> None:
    target = Target(key)
    async with Receiver(behave=target) as receiver, feishu_for(receiver, key) as feishu:
        for type_ in (*seed_types(), "approval_instance"):
            record = await feishu.deliver(sample(type_))
            assert record.state is State.ACCEPTED, record.attempts
        assert [result.envelope.type for result in target.results] == [*seed_types(), "approval_instance"]
        assert feishu.report().answers == {"webhook": {"200": 6}}


async def test_the_challenge() -> None:
    target = Target()
    async with Receiver(behave=target) as receiver, feishu_for(receiver) as feishu:
        assert await feishu.challenge() == ""
        assert isinstance(target.results[0], Challenge)
        target.keyring = Keyring(["another"], [])
        assert "401" in await feishu.challenge()
        receiver.behave = reply(500, body=f"I have {KEY} and {TOKEN}".encode())
        assert (await feishu.challenge()) == "the challenge was answered 500: I have *** and ***"
        receiver.behave = reply(200, body=b'{"challenge":"something else"}')
        assert "did not come back" in await feishu.challenge()
        receiver.behave = reply(200, body=b"success")
        assert "did not come back" in await feishu.challenge()
        receiver.behave = stalling(200)
        assert "no answer to the challenge within 0.5 s" in await feishu.challenge()


async def test_the_challenge_where_nobody_listens() -> None:
    [port] = free_ports(1)
    async with Simulator([App("cli_a", webhook=f"http://127.0.0.1:{port}/")]) as feishu:
        assert await feishu.challenge() == "no answer to the challenge: it can't be reached (connection refused)"


async def test_only_200_in_time_counts() -> None:
    async with Receiver() as receiver, feishu_for(receiver) as feishu:
        answers = iter([reply(204), reply(500), hang_up, stalling(200), reply(200)])

        async def behave(server: Receiver, request: web.BaseRequest, received: Received) -> web.StreamResponse:
            return await next(answers)(server, request, received)

        receiver.behave = behave
        record = await feishu.deliver(DOCUMENT)
        assert [attempt.answer for attempt in record.attempts] == ["204", "500", "broken off", LATE, "200"]
        assert len({request.body for request in receiver.requests}) == 5, "not signed and sealed afresh"
        assert feishu.report().late == 1


@pytest.mark.parametrize("fault", [name for name, (moment, _) in FAULTS.items() if moment is Moment.PUSH])
async def test_each_fault_loses_nothing(fault: str) -> None:
    target = Target()
    async with Receiver(behave=target) as receiver, feishu_for(receiver, answer_seconds=3.0) as feishu:
        feishu.faults.order(fault)
        record = await feishu.deliver(DOCUMENT)
        await feishu.settled()
        assert record.state is State.ACCEPTED
        assert record.attempts[0].fault == fault
        answers = [attempt.answer for attempt in record.attempts]
        if fault == "cut":
            assert answers[0] != "200"
            assert answers[-1] == "200"
        elif fault == "at-once":
            assert answers == ["200", "200"]
        else:
            assert answers == ["200"]
            assert record.attempts[0].milliseconds > 500
        events = [result for result in target.results if isinstance(result, Event)]
        assert len(events) == (2 if fault == "at-once" else 1)
        assert feishu.report().good


async def test_it_can_be_closed_while_nobody_answers() -> None:
    async with Receiver(behave=stalling(200)) as receiver:
        async with feishu_for(receiver, answer_seconds=60.0) as feishu:
            record = feishu.push(DOCUMENT)
            await until(lambda: len(receiver.requests) == 1)
        assert record.state is State.WAITING
        assert feishu.report().waiting == 1
    await asyncio.sleep(0)
