"""The admin API: questions about `/api/v1/…` in, answers in JSON out. Knows nothing of sockets."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote

import orjson

from router.admin import problems, questions, shapes
from router.admin.fields import Fields, of_body, of_query
from router.admin.problems import ProblemError, problem_of
from router.clock import Clock
from router.journal.contract import JournalError
from router.operations.contract import OperationError, Operators

PREFIX = "/api/v1"
BODY_MAX = 64 << 10
DEADLINE_SECONDS = 30.0
LISTED = 100
SLICE = 200
JSON = "application/json"


class Ask(NamedTuple):
    """A request. path: as it came, so that a name may hold a slash; query: decoded pairs; client: who asks, for the log."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    content_type: str = ""
    client: str = ""


class Reply(NamedTuple):
    """An answer."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = {}


class Note(Protocol):
    """Writes to the log that an operator changed something."""

    def __call__(self, action: str, what: str, client: str, **fields: Any) -> None:
        """action: what was done; what: to which; client: by whom."""


class Route(NamedTuple):
    """One question: its method, its path behind the prefix ({name} is any part, {id} digits), and what answers it."""

    method: str
    path: str
    answer: "Callable[[Api, Ask, str], Coroutine[Any, Any, Reply]]"
    help: str

    def part(self, path: str) -> str | None:
        """What stands for {name} or {id} ("" when there is none); None when the path is another one."""
        mine, theirs = (PREFIX + self.path).split("/"), [unquote(part) for part in path.split("/")]
        if len(mine) != len(theirs):
            return None
        named = [(m, t) for m, t in zip(mine, theirs, strict=True) if m != t]
        if any(not m.startswith("{") or not t or (m == "{id}" and not t.isdigit()) for m, t in named):
            return None
        return named[0][1] if named else ""


class Api:
    """Answers questions by asking `Operators`. Safe to be asked many at once."""

    def __init__(
        self, operators: Operators, note: Note, clock: Clock, deadline_seconds: float = DEADLINE_SECONDS
    ) -> None:
        self._operators = operators
        self._note = note
        self._clock = clock
        self._deadline = deadline_seconds
        self._changes: set[asyncio.Task[Reply]] = set()

    async def answer(self, ask: Ask) -> Reply:
        """The answer, whatever was asked. Raises only for bugs."""
        try:
            route, part = _find(ask)
            if route.method != "GET":
                return await self._changed(route.answer(self, ask, part))
            async with asyncio.timeout(self._deadline):
                return await route.answer(self, ask, part)
        except ProblemError as problem:
            return refusal(problem)
        except (OperationError, JournalError) as error:
            return refusal(problem_of(error))
        except TimeoutError:
            detail = f"no answer within {self._deadline:g} s: narrow the question, or ask again"
            if ask.method != "GET":
                detail += ". It may have been done all the same: look before"
            return refusal(ProblemError(503, detail, headers={"Retry-After": "5"}))

    async def _changed(self, change: Coroutine[Any, Any, Reply]) -> Reply:
        """A change goes on to its end, though nobody waits: cut short, it would be in the journal and unknown to the lane."""
        task = asyncio.create_task(change, name="admin: change")
        self._changes.add(task)
        task.add_done_callback(self._ended)
        done, _ = await asyncio.wait([task], timeout=self._deadline)
        if not done:
            raise TimeoutError
        return task.result()

    def _ended(self, task: asyncio.Task[Reply]) -> None:
        self._changes.discard(task)
        if not task.cancelled():
            task.exception()  # whoever still waits gets it; asyncio needn't say so

    # Sinks

    async def _sinks(self, ask: Ask, _part: str) -> Reply:
        of_query(ask.query).finish()
        return _json({"sinks": [shapes.sink_members(row) for row in await self._operators.sinks()]})

    async def _pause(self, ask: Ask, sink: str) -> Reply:
        of_body(ask.body).finish()
        await self._operators.pause(sink)
        return self._done(ask, "pause", sink)

    async def _resume(self, ask: Ask, sink: str) -> Reply:
        of_body(ask.body).finish()
        await self._operators.resume(sink)
        return self._done(ask, "resume", sink)

    async def _forget(self, ask: Ask, sink: str) -> Reply:
        of_body(ask.body).finish()
        await self._operators.forget(sink)
        return self._done(ask, "forget", sink)

    def _done(self, ask: Ask, action: str, sink: str) -> Reply:
        self._note(action, f"sink {sink}", ask.client)
        return _json({"sink": sink, "done": action})

    # Connections

    async def _connections(self, ask: Ask, _part: str) -> Reply:
        of_query(ask.query).finish()
        rows, programs = await self._operators.connections(), await self._operators.programs()
        return _json(
            {
                "connections": [shapes.connection_members(row) for row in rows],
                "programs": [shapes.program_members(row) for row in programs],
            }
        )

    # Dead letters

    async def _letters(self, ask: Ask, _part: str) -> Reply:
        fields = of_query(ask.query)
        page = questions.page(fields, questions.letter_filter(fields, self._now()), LISTED)
        whole = fields.flag("whole")
        fields.finish()
        letters = await self._operators.letters(page.wanted, page.limit, page.after)
        return _json(shapes.letters_members(letters, whole=whole))

    async def _summary(self, ask: Ask, _part: str) -> Reply:
        fields = of_query(ask.query)
        wanted = questions.letter_filter(fields, self._now())
        fields.finish()
        return _json(shapes.summary_members(await self._operators.count_letters(wanted)))

    async def _letter(self, ask: Ask, part: str) -> Reply:
        of_query(ask.query).finish()
        letter = await self._operators.letter(_number(part, "dead letter"))
        return _json(shapes.letter_members(letter, whole=True))

    async def _replay_letters(self, ask: Ask, _part: str) -> Reply:
        page = self._slice(ask)
        step = await self._operators.replay_letters(*page)
        if step.done:
            self._note("replay", f"dead letters {_spoken(ask.body)}", ask.client, done=step.done)
        return _json(shapes.slice_members(step))

    async def _purge_letters(self, ask: Ask, _part: str) -> Reply:
        page = self._slice(ask)
        step = await self._operators.purge_letters(*page)
        if step.done:
            self._note("purge", f"dead letters {_spoken(ask.body)}", ask.client, done=step.done)
        return _json(shapes.slice_members(step))

    def _slice(self, ask: Ask) -> questions.Page:
        fields = of_body(ask.body)
        inner = fields.section("filter")
        wanted = questions.letter_filter(inner, self._now())
        inner.finish()
        page = questions.page(fields, wanted, SLICE)
        fields.finish()
        return page

    # Replays

    async def _replay(self, ask: Ask, _part: str) -> Reply:
        fields = of_body(ask.body)
        order = questions.replay_order(fields, self._now())
        fields.finish()
        row = await self._operators.replay(order)
        self._note("start replay", f"replay {row.id} of sink {order.sink}", ask.client)
        return _json(shapes.replay_members(row), 201)

    async def _count_replay(self, ask: Ask, _part: str) -> Reply:
        fields = of_body(ask.body)
        order = questions.replay_order(fields, self._now())
        after = fields.integer("after", None, low=0)
        fields.finish()
        return _json(shapes.count_members(await self._operators.count_replay(order, after)))

    async def _replays(self, ask: Ask, _part: str) -> Reply:
        of_query(ask.query).finish()
        return _json({"replays": [shapes.replay_members(row) for row in await self._operators.replays()]})

    async def _stop_replay(self, ask: Ask, part: str) -> Reply:
        of_body(ask.body).finish()
        row = await self._operators.stop_replay(_number(part, "replay"))
        self._note("stop replay", f"replay {row.id} of sink {row.order.sink}", ask.client)
        return _json(shapes.replay_members(row))

    def _now(self) -> int:
        return int(self._clock.wall() * 1000)

    ROUTES = (
        Route("GET", "/sinks", _sinks, "every sink: state, lag, parked, dead letters"),
        Route("POST", "/sinks/{name}/pause", _pause, "deliver nothing more to it until resume, restarts included"),
        Route("POST", "/sinks/{name}/resume", _resume, "end a pause"),
        Route("DELETE", "/sinks/{name}", _forget, "forget a sink that is not in the settings any more"),
        Route(
            "GET",
            "/connections",
            _connections,
            "connections to Feishu, and programs connected here: state, why, last event",
        ),
        Route("GET", "/dead-letters", _letters, "dead letters; ?sink= type= app= subject= reason= since= until= …"),
        Route("GET", "/dead-letters/summary", _summary, "how many, by sink, type and reason"),
        Route("POST", "/dead-letters/replay", _replay_letters, "give the next ones back to their sinks"),
        Route("POST", "/dead-letters/purge", _purge_letters, "delete the next ones for good"),
        Route("GET", "/dead-letters/{id}", _letter, "one: envelope, attempts, the reason in words"),
        Route("GET", "/replays", _replays, "replays of stored events and how far they are"),
        Route("POST", "/replays", _replay, "send stored events to a sink again"),
        Route("POST", "/replays/count", _count_replay, "how many events that would be, one step"),
        Route("DELETE", "/replays/{id}", _stop_replay, "end a replay now"),
    )


def refusal(problem: ProblemError) -> Reply:
    """A problem as an answer."""
    return Reply(problem.status, orjson.dumps(problem.document()) + b"\n", problems.CONTENT_TYPE, problem.headers)


def index() -> str:
    """What can be asked, a line each."""
    width = max(len(route.path) for route in Api.ROUTES)
    return "".join(f"{route.method:<6} {PREFIX}{route.path:<{width}}  {route.help}\n" for route in Api.ROUTES)


def _find(ask: Ask) -> tuple[Route, str]:
    path = ask.path.rstrip("/")
    found = [(route, part) for route in Api.ROUTES if (part := route.part(path)) is not None]
    method = "GET" if ask.method == "HEAD" else ask.method
    for route, part in found:
        if route.method == method:
            _check_body(ask)
            return route, part
    if not found:
        raise ProblemError(404, f"there is no {ask.path}; GET / lists what there is")
    allowed = ", ".join(sorted({route.method for route, _ in found} | {"HEAD" for r, _ in found if r.method == "GET"}))
    raise ProblemError(405, f"{ask.path} takes {allowed}", headers={"Allow": allowed})


def _check_body(ask: Ask) -> None:
    """A page in a browser can send a form anywhere without asking, but no JSON."""
    if ask.method == "POST" and ask.content_type.partition(";")[0].strip().lower() != JSON:
        raise ProblemError(415, f"a POST must say Content-Type: {JSON}")


def _number(text: str, what: str) -> int:
    number = Fields({"id": text}).integer("id", None)
    if number is None:
        raise ProblemError(404, f"there is no {what} {text}; it is known by its number")
    return number


def _spoken(body: bytes) -> str:
    """The filter as it was given, bounded."""
    said = orjson.dumps(orjson.loads(body).get("filter", {})).decode()
    return said if len(said) <= 500 else said[:500] + "…"


def _json(document: Mapping[str, Any], status: int = 200) -> Reply:
    return Reply(status, orjson.dumps(document) + b"\n")
