"""The road to webhooks: each event is posted to its app's address and must be answered 200 in time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING

from router.clock import Clock
from router.feishu import push as pushing
from router.feishu.masking import mask
from router.simulator.account import LATE, Attempt, Record
from router.simulator.endpoint import App
from router.simulator.faults import Faults, Moment
from router.simulator.posting import TIMEOUT, Posted, post, session
from router.simulator.pushes import Push

if TYPE_CHECKING:
    import aiohttp

ROAD = "webhook"
CHALLENGE_SECONDS = 1.0
PIECES = 8
SLOW_SECONDS = 1.0


class Webhooks:
    """Pushes to the addresses of all apps.

    seconds: how long an answer may take. answered: told of each attempt that is over.
    """

    def __init__(
        self,
        apps: Mapping[str, App],
        faults: Faults,
        clock: Clock,
        seconds: float,
        answered: Callable[[Record, Attempt], None],
        notice: Callable[[str], None],
    ) -> None:
        self.under_way = 0
        self._apps = apps
        self._faults = faults
        self._clock = clock
        self._seconds = seconds
        self._answered = answered
        self._notice = notice
        self._http: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def challenge(self, app_id: str) -> str:
        """Whether the address is the app's, as Feishu asks before it takes one. Returns what is wrong, "" for nothing."""
        app = self._apps[app_id]
        body, headers, value = pushing.challenge(app.encrypt_key, app.token)
        limit = min(CHALLENGE_SECONDS, self._seconds)
        try:
            async with asyncio.timeout(limit):
                answer = await post(self._session(), app.webhook, body, headers)
        except TimeoutError:
            answer = Posted(TIMEOUT, 1000 * limit)
        if answer.status == TIMEOUT:
            return f"no answer to the challenge within {limit:g} s"
        if answer.status != 200:
            secrets = [secret.encode() for secret in (app.encrypt_key, app.token) if secret]
            said = mask(answer.body, secrets)[:200].decode(errors="replace")
            numeric = type(answer.status) is int
            what = f"the challenge was answered {answer.status}" if numeric else f"{answer.status} to the challenge"
            return f"{what}: {said}" if said else what
        return "" if pushing.echoes(answer.body, value) else "the challenge's value did not come back"

    def send(self, record: Record, push: Push, *, copy: bool = False) -> None:
        """Push an event."""
        fault = self._faults.at(Moment.PUSH)
        if fault:
            self._notice(f"{fault} for {record.type} {record.id}")
        task = asyncio.get_running_loop().create_task(self._push(record, push, fault, copy))
        self.under_way += 1 + (fault == "at-once")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    async def _push(self, record: Record, push: Push, fault: str, copy: bool) -> None:
        app = self._apps[record.app]
        body, headers = pushing.build(push.document(app.token), app.encrypt_key, self._clock.wall())
        if fault == "at-once":
            twice = (self._post(app.webhook, body, headers) for _ in range(2))
            answer, other = await asyncio.gather(*twice)
            self._tell(record, other, fault, copy=True)
        elif fault in ("cut", "slow-sender"):
            pieces = _slowly(body) if fault == "slow-sender" else _cut(body)
            answer = await self._post(app.webhook, pieces, headers | {"Content-Length": str(len(body))})
        else:
            answer = await self._post(app.webhook, body, headers)
        self._tell(record, answer, fault, copy)

    def _tell(self, record: Record, answer: Posted, fault: str, copy: bool) -> None:
        self.under_way -= 1
        said = LATE if answer.status == TIMEOUT else str(answer.status)
        self._answered(record, Attempt(ROAD, said, answer.milliseconds, fault, copy))

    async def _post(self, url: str, body: bytes | AsyncIterator[bytes], headers: dict[str, str]) -> Posted:
        return await post(self._session(), url, body, headers)

    def _session(self) -> "aiohttp.ClientSession":
        if self._http is None:
            self._http = session(self._seconds)
        return self._http


async def _slowly(body: bytes) -> AsyncIterator[bytes]:
    size = -(-len(body) // PIECES)
    for at in range(0, len(body), size):
        yield body[at : at + size]
        await asyncio.sleep(SLOW_SECONDS / PIECES)


async def _cut(body: bytes) -> AsyncIterator[bytes]:
    yield body[: len(body) // 2]
    raise ConnectionAbortedError("cut on purpose")
