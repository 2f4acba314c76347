"""A model of Feishu: pushes events in order of each subject, again and again until they are answered 200."""

import asyncio
import random
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from router.feishu.push import build
from router.feishu.samples import APP_ID, TENANT_KEY

KEY = "flow-test-encrypt-key"
TOKEN = "flow-test-verification-token"
ENVIRON = {"FER_APP__ENCRYPT_KEY": KEY, "FER_APP__VERIFICATION_TOKEN": TOKEN}
TYPES = ("corehr.department.updated_v2", "corehr.department.created_v2", "corehr.department.deleted_v1")


def department(subject: str, number: int, type_: str = TYPES[0]) -> dict[str, Any]:
    """An event about that department, the `number`-th of its kind."""
    header = {
        "event_id": f"{subject}-{number}-{secrets.token_hex(8)}",
        "event_type": type_,
        "create_time": str(int(time.time() * 1000)),
        "token": TOKEN,
        "app_id": APP_ID,
        "tenant_key": TENANT_KEY,
    }
    return {"schema": "2.0", "header": header, "event": {"department_id": subject, "number": number, "fill": "x" * 500}}


@dataclass
class Feishu:
    """answered: the ids answered 200, of each subject in the order of pushing. sent: all ids ever pushed."""

    url: str
    subjects: int = 16
    pause: float = 0.0
    key: str = KEY
    answered: dict[str, list[str]] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    slowest: float = 0.0
    retries: int = 0
    copies: int = 0
    pushing: asyncio.Event = field(default_factory=asyncio.Event)
    _rng: random.Random = field(default_factory=lambda: random.Random(7))

    @property
    def all_answered(self) -> set[str]:
        return {id_ for ids in self.answered.values() for id_ in ids}

    async def run(self) -> None:
        """Push until cancelled, while `pushing` is set."""
        timeout = aiohttp.ClientTimeout(total=3.0, connect=2.0)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session, asyncio.TaskGroup() as group:
            for number in range(self.subjects):
                group.create_task(self._subject(session, f"d{number}"))

    async def _subject(self, session: aiohttp.ClientSession, subject: str) -> None:
        mine = self.answered.setdefault(subject, [])
        number = 0
        while True:
            await self.pushing.wait()
            number += 1
            push = department(subject, number, TYPES[number % len(TYPES)])
            id_ = push["header"]["event_id"]
            self.sent.add(id_)
            while not await self._push(session, push):
                self.retries += 1
                await asyncio.sleep(0.05)
            mine.append(id_)
            if self._rng.random() < 0.05:  # at least once: a copy after a 200
                self.copies += await self._push(session, push)
            if self.pause:
                await asyncio.sleep(self.pause)

    async def _push(self, session: aiohttp.ClientSession, push: dict[str, Any]) -> bool:
        body, headers = build(push, self.key, time.time())
        begun = time.monotonic()
        try:
            async with session.post(self.url, data=body, headers=headers) as answer:
                await answer.read()
                self.slowest = max(self.slowest, time.monotonic() - begun)
                assert answer.status in (200, 503), f"a good push was answered {answer.status}"
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False
