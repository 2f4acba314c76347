"""A model of Feishu: pushes over many connections, tries again up its ladder, sends copies; and others who forge pushes."""

import asyncio
import random
import time
from typing import Any

import aiohttp

from router.feishu.push import build, challenge
from tests.crash.oracle.events import KEY, TOKEN, document, misshapen
from tests.crash.oracle.facts import Push
from tests.crash.oracle.plan import LADDER, Plan

PATIENCE = 10.0
"""Feishu waits 3 s; we wait longer to see when an answer comes. One that comes after 3 s counts as none."""
ANSWER_SECONDS = 3.0
WEIRD = ("copy", "copy", "at_once", "forged_key", "forged_token", "unsigned", "tampered", "challenge", "misshapen")


class Feishu:
    """`run` pushes until it is cancelled, `trickle` slowly until there is `enough`. `pushes` has every request made."""

    def __init__(self, plan: Plan, url: str) -> None:
        self.pushes: list[Push] = []
        self.enough = asyncio.Event()
        self._plan = plan
        self._url = url
        self._rng = random.Random(f"feishu {plan.seed}")
        self._serial = 0
        self._lives: set[asyncio.Task[None]] = set()

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Push at the plan's rate, in bursts."""
        while True:
            for _ in range(self._rng.randint(1, self._plan.burst)):
                self._begin(session)
            await asyncio.sleep(self._rng.expovariate(2 * self._plan.rate / (1 + self._plan.burst)))

    async def trickle(self, session: aiohttp.ClientSession) -> None:
        """A few good events a second, so that what fails for its own sake has others delivered beside it."""
        while not self.enough.is_set():
            self._serial += 1
            if self._plan.event(self._serial).kind == "good":
                await self._event(session, self._serial, "", 0)
            await asyncio.sleep(0.1)

    async def rest(self) -> None:
        """Return when everything that `run` began has been answered or given up."""
        while self._lives:
            await asyncio.gather(*self._lives)

    def _begin(self, session: aiohttp.ClientSession) -> None:
        self._serial += 1
        weird = self._rng.choice(WEIRD) if self._rng.random() < 0.1 else ""
        task = asyncio.create_task(self._life(session, self._serial, weird, self._rng.uniform(0, 3)))
        self._lives.add(task)
        task.add_done_callback(self._lives.discard)

    async def _life(self, session: aiohttp.ClientSession, serial: int, weird: str, pause: float) -> None:
        if weird.startswith(("forged", "unsigned", "tampered")):
            await self._send(session, serial, "forged", *_forged(self._document(serial), weird))
        elif weird == "challenge":
            body, headers, value = challenge(KEY, TOKEN)
            push = await self._send(session, serial, "challenge", body, headers)
            assert push.status != 200 or value.encode() in push.body, "a challenge was answered with another value"
        elif weird == "misshapen":
            await self._until_answered(session, serial, "misshapen", misshapen(serial))
        else:
            await self._event(session, serial, weird, pause)

    async def _event(self, session: aiohttp.ClientSession, serial: int, weird: str, pause: float) -> None:
        pushed = self._document(serial)
        if weird == "at_once":
            await asyncio.gather(
                self._until_answered(session, serial, "event", pushed),
                self._until_answered(session, serial, "copy", pushed),
            )
            return
        if await self._until_answered(session, serial, "event", pushed) and weird == "copy":
            await asyncio.sleep(pause)
            await self._send(session, serial, "copy", *build(pushed, KEY, time.time()))

    async def _until_answered(self, session: aiohttp.ClientSession, serial: int, kind: str, pushed: Any) -> bool:
        for wait in (0.0, *LADDER):
            await asyncio.sleep(wait)
            push = await self._send(session, serial, kind, *build(pushed, KEY, time.time()))
            if push.status == 200 and push.took < ANSWER_SECONDS:
                return True
        return False

    async def _send(
        self, session: aiohttp.ClientSession, serial: int, kind: str, body: bytes, headers: dict[str, str]
    ) -> Push:
        begun, started = time.time(), time.monotonic()
        status, said = None, b""
        try:
            async with session.post(self._url, data=body, headers=headers) as answer:
                status, said = answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            pass
        push = Push(serial, kind, begun, time.monotonic() - started, status, said)
        self.pushes.append(push)
        return push

    def _document(self, serial: int) -> dict[str, Any]:
        return document(self._plan.event(serial), time.time())


def session() -> aiohttp.ClientSession:
    """Many connections, none waiting for another."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=PATIENCE), connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=5)
    )


def _forged(pushed: dict[str, Any], how: str) -> tuple[bytes, dict[str, str]]:
    """The push as somebody sends it who doesn't know the key, or not the token, or changed it on its way."""
    now = time.time()
    if how == "forged_key":
        return build(pushed, "not the key", now)
    if how == "unsigned":
        return build(pushed, "", now)
    if how == "tampered":
        body, headers = build(pushed, KEY, now)
        return body[:-20] + bytes([body[-20] ^ 1]) + body[-19:], headers
    wrong: dict[str, Any] = {**pushed, "token": "wrong"}
    if "header" in pushed:
        wrong["header"] = pushed["header"] | {"token": "wrong"}
    return build(wrong, KEY, now)
