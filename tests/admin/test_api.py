"""The admin API without sockets: questions in, answers out."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.admin.api import Api, Ask, Reply, index
from router.clock import SystemClock
from router.journal.contract import JournalFailedError, LetterFilter, LetterKey
from router.operations.contract import ReplayOrder
from tests.doubles.operators import BORN_MS, MemoryOperators, letter, row
from tests.doubles.waiting import until

V1 = "/api/v1"


class World:
    """An API over operations in memory. notes: what it wrote to the log."""

    def __init__(self, deadline_seconds: float = 5.0, **operators: Any) -> None:
        self.operators = MemoryOperators(**operators)
        self.notes: list[tuple[str, str, str, dict[str, Any]]] = []
        self.api = Api(self.operators, self._note, SystemClock(), deadline_seconds)

    def _note(self, action: str, what: str, client: str, **fields: Any) -> None:
        self.notes.append((action, what, client, fields))

    async def ask(self, method: str, path: str, document: Any = None, content_type: str = "application/json") -> Reply:
        path, _, query = path.partition("?")
        body = b"" if document is None else orjson.dumps(document)
        return await self.api.answer(Ask(method, path, parse_qsl(query), body, content_type, "me"))

    async def told(self, method: str, path: str, document: Any = None, status: int = 200) -> Any:
        reply = await self.ask(method, V1 + path, document)
        assert reply.status == status, reply.body
        return orjson.loads(reply.body)


def lots() -> World:
    return World(
        rows={"iam": row("iam"), "bus": row("bus"), "old": row("old", state="absent")},
        kept=[letter(n) for n in range(1, 8)] + [letter(n, "bus", reason="too_large") for n in (8, 9)],
    )


async def test_sinks_are_listed_paused_resumed_and_forgotten() -> None:
    world = lots()
    assert [sink["name"] for sink in (await world.told("GET", "/sinks"))["sinks"]] == ["iam", "bus", "old"]
    assert await world.told("POST", "/sinks/iam/pause") == {"sink": "iam", "done": "pause"}
    assert world.operators.rows["iam"].state == "paused"
    await world.told("POST", "/sinks/iam/resume", {})
    assert world.operators.rows["iam"].state == "running"
    await world.told("DELETE", "/sinks/old")
    assert "old" not in world.operators.rows
    refused = await world.told("DELETE", "/sinks/iam", status=409)
    assert refused["detail"] == "the sink iam is in the settings"
    await world.told("POST", "/sinks/zzz/pause", status=404)
    assert [(action, what) for action, what, _, _ in world.notes] == [
        ("pause", "sink iam"),
        ("resume", "sink iam"),
        ("forget", "sink old"),
    ]


async def test_letters_come_page_by_page() -> None:
    world, seen, after = lots(), [], ""
    while True:
        page = await world.told("GET", f"/dead-letters?limit=4{after}")
        seen += [one["id"] for one in page["letters"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert seen == [8, 9, 1, 2, 3, 4, 5, 6, 7]


async def test_every_condition_reaches_the_operation() -> None:
    world = lots()
    path = (
        "/dead-letters?sink=iam&type=a.*&type=!a.b&app=x&subject=d1&reason=r&since=1970-01-01T00:00:01Z&id=3&up_to_id=9"
    )
    await world.told("GET", path)
    wanted = LetterFilter(("iam",), ("a.*", "!a.b"), ("x",), ("d1",), ("r",), 1000, None, (3,), 9)
    assert world.operators.asked == [("letters", wanted, 100, None)]


async def test_a_letter_whole_or_short() -> None:
    world = lots()
    whole = await world.told("GET", "/dead-letters/3")
    assert (whole["envelope"]["id"], len(whole["history"])) == ("e3", 2)
    assert "envelope" not in (await world.told("GET", "/dead-letters?id=3"))["letters"][0]
    assert (await world.told("GET", "/dead-letters?id=3&whole=true"))["letters"][0] == whole
    for number in ("99", "x", "-1", "0", "1.5", "9" * 40):
        await world.told("GET", f"/dead-letters/{number}", status=404)


async def test_a_summary() -> None:
    told = await lots().told("GET", "/dead-letters/summary?sink=bus")
    (group,) = told["groups"]
    assert (told["total"], told["last_id"], group["reason"], group["count"]) == (2, 9, "too_large", 2)


@pytest.mark.parametrize("action", ["replay", "purge"])
async def test_slices(action: str) -> None:
    world = lots()
    world.operators.wait = 0.25
    question = {"filter": {"sink": "iam", "up_to_id": 5}, "limit": 3}
    first = await world.told("POST", f"/dead-letters/{action}", question)
    assert first == {"done": 3, "skipped": [], "next": "iam:3:3", "wait_seconds": 0.25}
    last = await world.told("POST", f"/dead-letters/{action}", question | {"after": first["next"]})
    assert (last["done"], last["next"]) == (2, None)
    assert [one.id for one in world.operators.kept] == [6, 7, 8, 9]
    assert world.operators.asked[-1] == (
        f"{action}_letters",
        LetterFilter(("iam",), up_to_id=5),
        3,
        LetterKey("iam", 3, 3),
    )
    noted = (action, 'dead letters {"sink":"iam","up_to_id":5}', "me")
    assert world.notes == [(*noted, {"done": 3}), (*noted, {"done": 2})]
    await world.told("POST", f"/dead-letters/{action}", question)
    assert len(world.notes) == 2


async def test_what_stays_is_named() -> None:
    world = lots()
    world.operators.skips = {2: "the sink iam is not in the settings"}
    told = await world.told("POST", "/dead-letters/replay", {"filter": {"id": [1, 2]}})
    assert (told["done"], told["skipped"]) == (1, [{"id": 2, "reason": "the sink iam is not in the settings"}])


@pytest.mark.parametrize("action", ["replay", "purge"])
@pytest.mark.parametrize(
    "document", [None, {}, {"sink": "iam"}, {"filter": {"snik": "iam"}}, {"filter": None}, {"filter": {"sink": ""}}]
)
async def test_nothing_is_touched_unless_the_filter_is_clear(action: str, document: Any) -> None:
    world = lots()
    told = await world.told("POST", f"/dead-letters/{action}", document, status=422)
    assert told["errors"]
    assert world.operators.asked == []
    assert world.notes == []


async def test_replays_begin_are_counted_listed_and_stopped() -> None:
    world = lots()
    world.operators.stored = [BORN_MS, BORN_MS + 1, BORN_MS + 2]
    order = {"sink": "iam", "since": "earliest", "type": ["corehr.*"], "rate": 5}
    step = await world.told("POST", "/replays/count", order)
    assert (step["events"], step["next"], step["end"]) == (2, 2, 3)
    assert (await world.told("POST", "/replays/count", order | {"after": 2}))["next"] is None
    begun = await world.told("POST", "/replays", order, status=201)
    assert (begun["id"], begun["sink"], begun["type"], begun["rate"]) == (1, "iam", ["corehr.*"], 5.0)
    assert world.operators.asked[-1] == ("replay", ReplayOrder("iam", types=("corehr.*",), rate=5.0))
    assert [one["id"] for one in (await world.told("GET", "/replays"))["replays"]] == [1]
    assert (await world.told("DELETE", "/replays/1"))["state"] == "ended"
    await world.told("DELETE", "/replays/1", status=422)
    await world.told("DELETE", "/replays/2", status=404)
    assert [action for action, *_ in world.notes] == ["start replay", "stop replay"]


async def test_a_journal_that_failed_is_503() -> None:
    world = World(raises=JournalFailedError("EIO"))
    told = await world.told("GET", "/dead-letters", status=503)
    assert "the journal failed" in told["detail"]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_question_has_a_deadline(method: str) -> None:
    world = World(deadline_seconds=0.01, rows={"iam": row("iam")}, gate=asyncio.Event())
    path = "/sinks" if method == "GET" else "/sinks/iam/pause"
    told = await world.told(method, path, status=503)
    assert "no answer within 0.01 s" in told["detail"]
    assert ("look before" in told["detail"]) == (method == "POST")


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/api/v1/nothing", 404, None),
        ("GET", "/api/v2/sinks", 404, None),
        ("GET", "/sinks", 404, None),
        ("GET", "/api/v1/sinks//pause", 404, None),
        ("POST", "/api/v1/sinks", 405, "GET, HEAD"),
        ("GET", "/api/v1/sinks/iam/pause", 405, "POST"),
        ("PUT", "/api/v1/replays", 405, "GET, HEAD, POST"),
        ("OPTIONS", "/api/v1/dead-letters/replay", 405, "POST"),
        ("GET", "/api/v1/dead-letters/purge", 405, "POST"),
        ("HEAD", "/api/v1/sinks/", 200, None),
    ],
)
async def test_paths_and_methods(method: str, path: str, status: int, allow: str | None) -> None:
    world = lots()
    reply = await world.ask(method, path)
    assert (reply.status, reply.headers.get("Allow")) == (status, allow)
    assert not world.notes


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
async def test_a_post_must_say_that_it_is_json(content_type: str) -> None:
    world = lots()
    reply = await world.ask("POST", f"{V1}/sinks/iam/pause", {}, content_type)
    assert (reply.status, world.operators.asked) == (415, [])


def test_the_index_has_a_line_for_each() -> None:
    assert len(index().splitlines()) == len(Api.ROUTES)


async def test_a_change_goes_on_to_its_end_when_nobody_waits_any_more() -> None:
    gate = asyncio.Event()
    world = World(deadline_seconds=0.01, rows={"iam": row("iam")}, gate=gate)
    await world.told("POST", "/sinks/iam/pause", status=503)
    gate.set()
    await until(lambda: bool(world.notes))
    assert world.operators.rows["iam"].state == "paused"


async def test_a_change_survives_whoever_asked_for_it() -> None:
    gate = asyncio.Event()
    world = World(rows={"iam": row("iam")}, gate=gate)
    asking = asyncio.create_task(world.ask("POST", f"{V1}/sinks/iam/pause"))
    await until(lambda: bool(world.operators.asked))
    asking.cancel()
    await asyncio.wait([asking])
    gate.set()
    await until(lambda: bool(world.notes))
    assert world.operators.rows["iam"].state == "paused"


@given(
    st.sampled_from([(route.method, route.path) for route in Api.ROUTES]),
    st.text(max_size=5),
    st.lists(
        st.tuples(st.sampled_from(["sink", "limit", "since", "after", "id", "x"]), st.text(max_size=8)), max_size=4
    ),
    st.one_of(
        st.binary(max_size=20),
        st.dictionaries(
            st.sampled_from(["filter", "limit", "after", "sink", "since", "rate", "x"]),
            st.one_of(st.none(), st.integers(), st.text(max_size=8), st.just({}), st.just(["iam"])),
        ).map(lambda document: json.dumps(document).encode()),
    ),
)
def test_no_question_breaks_it(route: tuple[str, str], part: str, query: list[tuple[str, str]], body: bytes) -> None:
    method, path = route
    path = path.replace("{name}", part).replace("{id}", part)
    reply = asyncio.run(lots().api.answer(Ask(method, V1 + path, query, body, "application/json", "me")))
    assert reply.status in (200, 201, 400, 404, 405, 409, 422)
    assert isinstance(orjson.loads(reply.body), dict)
