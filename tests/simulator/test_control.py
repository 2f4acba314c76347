"""Driving a stand-in from outside: what it does, and whom it does it for."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest

from router.feishu.discovery import ClientConfig
from router.feishu.samples import sample
from router.settings.address import parse_address
from router.simulator.control import Control
from router.simulator.endpoint import App
from router.simulator.faults import Moment
from router.simulator.simulator import APP_ID, APP_SECRET, Simulator
from tests.doubles.receiver import Receiver
from tests.doubles.waiting import until
from tests.simulator.clients import Client

DOCUMENT = sample("corehr.department.updated_v2")


@asynccontextmanager
async def driven(**app: str) -> AsyncIterator[tuple[Simulator, aiohttp.ClientSession]]:
    async with Simulator([App(APP_ID, APP_SECRET, **app)]) as feishu, aiohttp.ClientSession(feishu.domain) as http:
        feishu.pages = Control(feishu, parse_address("127.0.0.1:7777")).handle
        yield feishu, http


async def ask(http: aiohttp.ClientSession, path: str, document: Any = None, **more: Any) -> tuple[int, Any]:
    body = b"" if document is None else orjson.dumps(document)
    async with http.post(path, data=body, **more) as answer:
        return answer.status, orjson.loads(await answer.read())


async def test_events_are_pushed_and_waited_for() -> None:
    async with driven() as (feishu, http), Client(feishu.domain) as client:
        await client.connect()
        await until(lambda: feishu.connections() == 1)
        status, told = await ask(http, "/simulate/push?wait=1", DOCUMENT)
        assert status == 200
        assert told["pushed"][0]["id"] == DOCUMENT["header"]["event_id"]
        assert told["pushed"][0]["state"] == "accepted"
        status, told = await ask(http, "/simulate/push?wait=1&fresh=1", [DOCUMENT, DOCUMENT])
        assert len({one["id"] for one in told["pushed"]} | {DOCUMENT["header"]["event_id"]}) == 3
        status, told = await ask(http, "/simulate/push?wait=1&type=contact.user.created_v3")
        assert told["pushed"][0]["type"] == "contact.user.created_v3"
        assert len(client.events) == 4
        async with http.get("/simulate/report?events=1") as answer:
            report = await answer.json()
        assert (report["events"], report["connections"], len(report["each"])) == (4, 1, 4)


async def test_numbers_are_pushed_as_they_are() -> None:
    event = b'{"schema":"2.0","header":{"event_id":"e","event_type":"t","token":""},"event":{"n":1.10,"big":%b}}' % (
        b"9" * 30
    )
    async with driven() as (feishu, http), Client(feishu.domain) as client:
        await client.connect()
        await until(lambda: feishu.connections() == 1)
        async with http.post("/simulate/push?wait=1", data=event) as answer:
            assert answer.status == 200
        assert client.events == [event]


async def test_a_road_of_choice() -> None:
    async with Receiver() as receiver, driven(webhook=receiver.url) as (_, http):
        assert (await ask(http, "/simulate/push?wait=1&road=webhook", DOCUMENT))[0] == 200
        assert len(receiver.requests) == 1


async def test_faults_hanging_up_and_configuration() -> None:
    async with driven() as (feishu, http), Client(feishu.domain) as client:
        assert (await ask(http, "/simulate/fault", {"name": "reset", "times": 2}))[0] == 200
        assert (await ask(http, "/simulate/fault", {"name": "no-pong", "share": 1}))[0] == 200
        assert [feishu.faults.at(Moment.FRAME) for _ in range(3)] == ["reset", "reset", ""]
        assert feishu.faults.at(Moment.PONG) == "no-pong"
        assert (await ask(http, "/simulate/fault", {"heal": True}))[0] == 200
        assert feishu.faults.at(Moment.PONG) == ""
        await client.connect()
        await until(lambda: feishu.connections() == 1)
        assert await ask(http, "/simulate/hang-up", {"how": "close"}) == (200, {"connections": 1})
        await until(lambda: feishu.connections() == 0)
        assert await ask(http, "/simulate/hang-up") == (200, {"connections": 0})
        config = ClientConfig(1, 2, 3, 4)
        assert (await ask(http, "/simulate/config", config.document()))[0] == 200
        assert feishu.long.config == config


@pytest.mark.parametrize(
    ("path", "document", "words"),
    [
        ("push", None, "expected an event"),
        ("push", [], "expected an event"),
        ("push", [1], "expected an event"),
        ("push", {"hello": 1}, "no header.event_id"),
        ("push?app_id=cli_x", DOCUMENT, "no app 'cli_x'"),
        ("push?road=webhook", DOCUMENT, "long_connection"),
        ("push?road=x", DOCUMENT, "road must be"),
        ("push?queue=" + "x" * 300, DOCUMENT, "too long"),
        ("fault", {"name": "rset"}, "rset"),
        ("fault", {"name": "reset", "share": 2}, "between 0 and 1"),
        ("fault", {"name": "reset", "times": 0}, "million"),
        ("fault", {}, "there is no fault"),
        ("fault", None, "there is no fault"),
        ("fault", [], "expected a JSON object"),
        ("hang-up", {"how": "x"}, "reset or close"),
        ("hang-up", [], "expected a JSON object"),
        ("hang-up", "close", "expected a JSON object"),
        ("config", {}, "PingInterval"),
        ("config", ClientConfig(1, 2, 3, 4).document() | {"ReconnectNonce": 0}, "from 1 to 3600"),
        ("config", [], "expected a JSON object"),
    ],
)
async def test_what_makes_no_sense_is_explained(path: str, document: Any, words: str) -> None:
    async with driven() as (feishu, http):
        status, told = await ask(http, f"/simulate/{path}", document)
        assert status == 400
        assert words in told["error"]
        assert feishu.report().events == 0


async def test_bodies_that_are_none_or_too_large_and_other_paths() -> None:
    async with driven() as (_, http):
        async with http.post("/simulate/push", data=b"{") as answer:
            assert answer.status == 400
        async with http.post("/simulate/push", data=io.BytesIO(b" " * (9 << 20))) as answer:
            assert answer.status == 400
        async with http.get("/simulate/push") as answer:
            assert answer.status == 404
            assert "/simulate/push" in await answer.text()
        async with http.get("/elsewhere") as answer:
            assert answer.status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Host": "evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/json"])
async def test_pages_in_a_browser_can_not_drive_it(headers: dict[str, str], kind: str) -> None:
    async with driven() as (feishu, http):
        for path, document in (("push?type=a.b_v1", None), ("push", DOCUMENT), ("hang-up", {}), ("fault", {"heal": 1})):
            status, told = await ask(http, f"/simulate/{path}", document, headers=headers | {"Content-Type": kind})
            assert status == 403, told
        assert feishu.report().events == 0
