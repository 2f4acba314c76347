"""A stand-in for Feishu: it has apps, takes their connections, and pushes their events until they are answered."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from aiohttp import web

from router.clock import Clock, SystemClock
from router.feishu.discovery import PATH, ClientConfig
from router.ingress.plain import plain_server
from router.simulator import long_connection, webhook
from router.simulator.account import OK, Account, Attempt, Record, Report, State
from router.simulator.endpoint import WS_PATH, App, Doors, Ticket
from router.simulator.faults import Faults
from router.simulator.long_connection import LongConnections
from router.simulator.pushes import Push
from router.simulator.webhook import Webhooks

LADDER = (15.0, 300.0, 3600.0, 21600.0)
"""Seconds from a failed attempt to the next. After the last one an event is lost."""
COPY_SECONDS = 2.0
MAX_BODY = 64 << 10
AT_ONCE = 256
APP_ID, APP_SECRET = "cli_0123456789abcdef", "the-secret-of-the-stand-in"


class Behaviour(NamedTuple):
    """How this Feishu is. compress: divides the waits of the ladder; answer_seconds isn't compressed.

    ordered: types of which the next event is pushed only when the one before has ended. duplicates: the share of accepted
    events that are pushed once more.
    """

    seed: int = 0
    compress: float = 1.0
    ordered: frozenset[str] = frozenset()
    duplicates: float = 0.0
    answer_seconds: float = 3.0
    max_connections: int = 50
    config: ClientConfig = ClientConfig(-1, 2.0, 1.0, 10.0)


class Simulator:
    """`start`, then `push` as often as you like, `settled`, `report`, `close`. faults: what goes wrong, changeable at any time.

    notice: told in words of what is worth telling.
    """

    def __init__(
        self,
        apps: Sequence[App] = (App(APP_ID, APP_SECRET),),
        behaviour: Behaviour = Behaviour(),  # noqa: B008 - it's frozen
        clock: Clock | None = None,
        notice: Callable[[str], None] | None = None,
    ) -> None:
        self.apps = {app.app_id: app for app in apps}
        self.behaviour = behaviour
        self.faults = Faults(behaviour.seed)
        self.account = Account()
        self.domain = ""
        self.began = 0.0
        self.pages: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]] | None = None
        clock = clock or SystemClock()
        notice = notice or _silent
        self._clock = clock
        self.notice = notice
        self._rng = random.Random(f"simulator {behaviour.seed}")  # noqa: S311 - to be repeatable
        limit = behaviour.answer_seconds
        self.long = LongConnections(self.faults, behaviour.seed, limit, self._answered, self._told)
        self._webhooks = Webhooks(self.apps, self.faults, clock, limit, self._answered, notice)
        self._doors = Doors(apps, self.faults, clock, self._crowded)
        self.configure(behaviour.config)
        self._queues: dict[str, deque[Record]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed: asyncio.Future[None] | None = None
        self._runner: web.ServerRunner | None = None

    async def start(self, host: str | None = "127.0.0.1", port: int = 0) -> str:
        """Listen; host None: on every interface. Returns the domain that clients are to be given. Raises OSError."""
        self._runner = web.ServerRunner(plain_server(self._handle), access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        bound = self._runner.addresses[0]
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        self.domain = f"http://{shown}:{bound[1]}"
        return self.domain

    async def close(self) -> None:
        """End everything. Idempotent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.long.close()
        await self._webhooks.close()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def under_way(self) -> int:
        """Attempts that aren't over."""
        return self.long.under_way + self._webhooks.under_way

    def configure(self, config: ClientConfig) -> None:
        """What clients are told from now on, in the answer to discovery and in each pong."""
        self.long.config = self._doors.config = config

    def connections(self, app_id: str = "") -> int:
        """How many connections there are, of one app or of all."""
        return len(self.long.of(app_id) if app_id else self.long.everyone())

    def hang_up(self, how: str = "reset", app_id: str = "") -> int:
        """End all connections, with `reset` or `close`. Returns how many there were."""
        connections = list(self.long.of(app_id) if app_id else self.long.everyone())
        for connection in connections:
            connection.ended_by = how
            connection.close() if how == "close" else connection.reset()
        return len(connections)

    async def challenge(self, app_id: str = "") -> str:
        """Ask the webhook whether it is the app's. Returns what is wrong, "" for nothing."""
        return await self._webhooks.challenge(app_id or next(iter(self.apps)))

    def push(self, push: Push | Mapping[str, Any], *, app_id: str = "", road: str = "", queue: str = "") -> Record:
        """Begin to push an event; it goes on by itself, up the ladder, until it is accepted or lost.

        app_id: by default the first app's. road: by default one that the app has, at random. queue: events of one queue are
        pushed one after the other; by default those of an ordered type.
        """
        push = push if isinstance(push, Push) else Push.of(push)
        app = self.apps[app_id] if app_id else next(iter(self.apps.values()))
        if not queue and push.type in self.behaviour.ordered:
            queue = push.type
        record = Record(push, app.app_id, road or self._road(app), queue and f"{app.app_id} {queue}")
        if not self.began:
            self.began = self._clock.monotonic()
        self.account.begin(record)
        if record.queue:
            waiting = self._queues.get(record.queue)
            if waiting is not None:
                waiting.append(record)
                return record
            self._queues[record.queue] = deque()
        self._attempt(record, push)
        return record

    async def deliver(self, push: Push | Mapping[str, Any], **how: str) -> Record:
        """Push an event and wait for its end."""
        record = self.push(push, **how)
        await self.ended(record)
        return record

    async def ended(self, record: Record) -> None:
        """Return when the event is accepted or lost."""
        if record.state is State.WAITING:
            record.ended = record.ended or asyncio.Event()
            await record.ended.wait()

    async def run(
        self, pushes: Iterable[Push | Mapping[str, Any]], *, rate: float = 0.0, at_once: int = AT_ONCE, **how: str
    ) -> None:
        """Push many, `rate` a second, whatever becomes of them. rate 0: as fast as they end, `at_once` at a time.

        at_once: with a rate, so many attempts may be under way before the next waits after all.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for number, push in enumerate(pushes):
            if rate and (early := begun + number / rate - loop.time()) > 0:
                await asyncio.sleep(early)
            while (self.under_way if rate else self.account.waiting) >= at_once:
                await self.progress()
            self.push(push, **how)

    async def progress(self) -> None:
        """Return when something has changed: an attempt or a wait is over, a connection has come or gone."""
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._changed)

    async def settled(self) -> None:
        """Return when every event is accepted or lost, and every copy answered."""
        while self.account.waiting or self.under_way or self._tasks:
            await self.progress()

    async def quiet(self) -> None:
        """Return when no attempt is under way; others may wait for theirs."""
        while self.under_way:
            await self.progress()

    async def connected(self, count: int = 1, app_id: str = "") -> None:
        """Return when there are so many connections, of one app or of all."""
        while self.connections(app_id) < count:
            await self.progress()

    @property
    def seconds(self) -> float:
        """Since the first event."""
        return self._clock.monotonic() - self.began if self.began else 0.0

    def report(self) -> Report:
        """The account up to now."""
        return self.account.report(self.faults.struck)

    # Within

    def _road(self, app: App) -> str:
        roads = [*([webhook.ROAD] if app.webhook else []), *([long_connection.ROAD] if app.app_secret else [])]
        return roads[0] if len(roads) == 1 else self._rng.choice(roads)

    def _crowded(self, app_id: str) -> bool:
        return len(self.long.of(app_id)) >= self.behaviour.max_connections

    def _attempt(self, record: Record, push: Push, *, copy: bool = False) -> None:
        if not copy:
            record.tries += 1
        road = self._webhooks if record.road == webhook.ROAD else self.long
        road.send(record, push, copy=copy)

    def _answered(self, record: Record, attempt: Attempt) -> None:
        """An attempt is over."""
        self.account.note(record, attempt)
        push = record.push
        if attempt.copy or push is None:
            pass
        elif attempt.answer == OK:
            self._end(record, push, State.ACCEPTED)
        elif record.tries > len(LADDER):
            self.notice(f"{record.type} {record.id}: {attempt.answer}; LOST")
            self._end(record, push, State.LOST)
        else:
            wait = LADDER[record.tries - 1] / self.behaviour.compress
            self.notice(f"{record.type} {record.id}: {attempt.answer}; again in {wait:.4g} s")
            self._later(wait, record, push)
        self._note_change()

    def _end(self, record: Record, push: Push, state: State) -> None:
        self.account.end(record, state)
        record.push = None
        if state is State.ACCEPTED and self.behaviour.duplicates > self._rng.random():
            self._later(self._rng.uniform(0, COPY_SECONDS), record, push, copy=True)
        if record.ended is not None:
            record.ended.set()
        if record.queue:
            waiting = self._queues[record.queue]
            if waiting:
                asyncio.get_running_loop().call_soon(self._next, waiting.popleft())
            else:
                del self._queues[record.queue]

    def _told(self, line: str) -> None:
        """Something happened to a connection."""
        self.notice(line)
        self._note_change()

    def _next(self, record: Record) -> None:
        if record.push is not None:
            self._attempt(record, record.push)

    def _later(self, seconds: float, record: Record, push: Push, *, copy: bool = False) -> None:
        task = asyncio.get_running_loop().create_task(self._wait(seconds, record, push, copy))
        self._tasks.add(task)
        task.add_done_callback(self._waited)

    async def _wait(self, seconds: float, record: Record, push: Push, copy: bool) -> None:
        await self._clock.sleep(seconds)
        self._attempt(record, push, copy=copy)

    def _waited(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._note_change()

    def _note_change(self) -> None:
        if self._changed is not None:
            self._changed.set_result(None)
            self._changed = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path.replace("//", "/")
        if path.endswith(PATH):
            return await self._discover(request)
        if path == WS_PATH:
            entered = self._doors.enter(request.query)
            return await self.long.serve(request, entered) if isinstance(entered, Ticket) else entered
        return web.Response(status=404) if self.pages is None else await self.pages(request)

    async def _discover(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method != "POST":
            return web.Response(status=405)
        body = bytearray()
        async for piece in request.content.iter_any():
            body += piece
            if len(body) > MAX_BODY:
                return web.Response(status=413)
        answer = self._doors.discover(bytes(body), request.host)
        if answer is None:
            await asyncio.Event().wait()
        return answer or web.Response(status=500)


def _silent(_: str) -> None:
    """Tell nobody."""
