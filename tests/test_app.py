"""The whole router in one process: started, pushed at, drained, and broken in each of its parts."""

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from router.app import Listening, Router, StartError, WorkerFailedError
from router.feishu import frames
from router.feishu.push import build
from router.feishu.samples import APP_ID
from router.journal.contract import JournalOpenError
from router.lifecycle.signals import Stop
from router.settings import load
from router.settings.load import read_sections
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger
from sinks.memory import MemorySink
from tests.doubles.disk import files_no_longer_than
from tests.doubles.peer import SERVICE, peer
from tests.doubles.plugin import install
from tests.doubles.waiting import until
from tests.flow.feishu import KEY, department

PLUGIN = """
import asyncio
from sinks.memory import MemorySink, SINK as MEMORY

class Odd(MemorySink):
    {body}

SINK = SinkType(SinkSettings, lambda name, settings: Odd(), lambda settings: "nowhere")
"""


class Running:
    def __init__(self, folder: Path, environ: Mapping[str, str], *, short_form: bool = True) -> None:
        self.log = io.StringIO()
        self.environ = {
            "FER_DATA_DIR": str(folder / "data"),
            "FER_LISTEN": "127.0.0.1:0",
            "FER_ADMIN__LISTEN": "127.0.0.1:0",
            **({"FER_APP__ENCRYPT_KEY": KEY} if short_form else {}),
            "FER_DRAIN__ACCEPT_SECONDS": "0",
            "FER_DRAIN__LANES_SECONDS": "1",
            "FER_SINKS": "copy",
            "FER_SINK__COPY__TYPE": "memory",
            **environ,
        }
        settings = load(self.environ)
        self.telemetry = Telemetry(make_logger("info", "json", self.log))
        self.router = Router(settings, self.telemetry)
        self.stop = Stop()
        self.listening: Listening | None = None
        self.task: asyncio.Task[None] | None = None
        self.ends_well = True
        self._numbers = iter(range(10_000))

    def started(self, listening: Listening) -> None:
        self.listening = listening

    async def push(self, subject: str = "d1") -> int:
        return await self.push_document(department(subject, next(self._numbers)))

    async def push_document(self, document: dict[str, Any], app: str = "") -> int:
        assert self.listening is not None
        body, headers = build(document, KEY, time.time())
        url = f"http://{self.listening.webhook[0]}/webhook/event{app}"
        async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
            return answer.status

    async def page(self, path: str) -> tuple[int, str]:
        assert self.listening is not None
        url = f"http://{self.listening.admin[0]}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status, await answer.text()

    def sink(self, name: str = "copy") -> MemorySink:
        sink = self.router._dispatcher.outlets[name].sink
        assert isinstance(sink, MemorySink)
        return sink

    def said(self, event: str) -> list[dict[str, str]]:
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if line["event"] == event]


@asynccontextmanager
async def running(
    folder: Path, environ: Mapping[str, str] | None = None, *, short_form: bool = True, rotates: bool = False
) -> AsyncIterator[Running]:
    """Started; ended by `stop` when left, within a deadline."""
    it = Running(folder, environ or {}, short_form=short_form)
    if rotates:
        it.router.rotate(it.environ, read_sections(it.environ))
    it.task = asyncio.create_task(it.router.run(it.stop, it.started))
    await until(lambda: it.listening is not None or (it.task is not None and it.task.done()))
    if it.listening is None:
        await it.task
    try:
        yield it
    finally:
        it.stop.set()
        await asyncio.wait([it.task], timeout=30)
        assert it.task.done(), "it doesn't end"
    if it.ends_well:
        it.task.result()


async def test_what_is_pushed_is_delivered_and_a_stop_drains(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        assert [await it.push(f"d{n}") for n in range(20)] == [200] * 20
        assert (await it.page("/readyz"))[0] == 200
        sink = it.sink()
    assert len(sink.envelopes) == 20
    assert [line["event"] for line in map(json.loads, it.log.getvalue().splitlines()) if line["event"][:2] == "st"]
    assert it.said("stopped")
    assert not it.said("drain_laggard")


async def test_what_was_not_delivered_is_after_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "async def deliver(self, batch):\n        await asyncio.sleep(1000)"
    install(tmp_path, monkeypatch, "hangs", PLUGIN.replace("{body}", body))
    environ = {"FER_SINKS": "copy,sick", "FER_SINK__SICK__TYPE": "hangs"}
    async with running(tmp_path, environ) as it:
        assert await it.push() == 200
        await until(lambda: len(it.sink().envelopes) == 1)
    assert [line["sink"] for line in it.said("drain_laggard")] == ["sick"]
    async with running(tmp_path, environ | {"FER_SINK__SICK__TYPE": "memory"}) as it:
        await until(lambda: len(it.sink("sick").envelopes) == 1)
        assert it.sink().envelopes == []


async def test_a_sink_that_is_away_at_the_start_delays_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "async def open(self):\n        raise SinkNotReadyError('nobody there')"
    install(tmp_path, monkeypatch, "away", PLUGIN.replace("{body}", body))
    async with running(tmp_path, {"FER_SINKS": "copy,away", "FER_SINK__AWAY__TYPE": "away"}) as it:
        assert await it.push() == 200
        await until(lambda: len(it.sink().envelopes) == 1)
        page = (await it.page("/metrics"))[1]
        assert 'fer_sink_state{sink="away",state="unavailable"} 1.0' in page
        assert 'fer_lag_events{sink="away"} 1.0' in page
        assert (await it.page("/readyz"))[0] == 200
    assert not it.said("drain_laggard"), "what can't be delivered isn't waited for"


@pytest.mark.parametrize(
    "body",
    [
        "async def close(self):\n        await asyncio.sleep(1000)",
        "async def close(self):\n        raise RuntimeError('broken')",
        "async def close(self):\n        raise asyncio.CancelledError",
    ],
)
async def test_a_plug_in_that_cannot_be_closed_keeps_nothing_else_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    install(tmp_path, monkeypatch, "odd", PLUGIN.replace("{body}", body))
    monkeypatch.setattr("router.app.CLOSE_SECONDS", 0.2)
    environ = {"FER_SINKS": "odd,copy", "FER_SINK__ODD__TYPE": "odd"}
    async with running(tmp_path, environ) as it:
        assert await it.push() == 200
    assert [line["part"] for line in it.said("cleanup_failed")] == ["sink odd"]
    assert len(it.sink().envelopes) == 1
    async with running(tmp_path, environ) as again:  # the journal's lock was given back
        assert await again.push() == 200


async def test_a_deliver_that_cannot_be_cancelled_holds_up_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = """free = asyncio.Event()
    async def deliver(self, batch):
        while not self.free.is_set():
            try:
                await self.free.wait()
            except asyncio.CancelledError:
                pass
        return [DELIVERED] * len(batch)"""
    install(tmp_path, monkeypatch, "stubborn", PLUGIN.replace("{body}", body))
    monkeypatch.setattr("router.app.CLOSE_SECONDS", 0.2)
    async with running(tmp_path, {"FER_SINKS": "odd,copy", "FER_SINK__ODD__TYPE": "stubborn"}) as it:
        assert await it.push() == 200
        await until(lambda: len(it.sink().envelopes) == 1)
    assert "lane odd" in [line["part"] for line in it.said("cleanup_failed")]
    free = it.router._dispatcher.outlets["odd"].sink.free  # type: ignore[attr-defined] # the plug-in's own
    free.set()
    await asyncio.sleep(0.01)


async def test_a_plug_in_with_a_broken_scope_or_strange_outcomes_ends_no_other_lane(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = """def scope(self, envelope):
        raise RuntimeError("bug")
    async def deliver(self, batch):
        return ["yes"] * len(batch)"""
    install(tmp_path, monkeypatch, "strange", PLUGIN.replace("{body}", body))
    async with running(tmp_path, {"FER_SINKS": "odd,copy", "FER_SINK__ODD__TYPE": "strange"}) as it:
        assert [await it.push(f"d{n}") for n in range(5)] == [200] * 5
        await until(lambda: len(it.sink().envelopes) == 5)
        read = it.telemetry.registry.get_sample_value
        await until(lambda: (read("fer_retried_total", {"sink": "odd", "reason": "raised"}) or 0) >= 5)
    assert not it.said("worker_crashed")


async def test_a_journal_that_fails_ends_it_with_an_error(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        assert await it.push() == 200
        assert it.task is not None
        with files_no_longer_than(0):  # the disk takes nothing more
            assert await it.push() == 503
            await asyncio.wait([it.task], timeout=30)
        assert isinstance(it.task.exception(), WorkerFailedError)
        it.ends_well = False
    assert len(it.said("journal_failed")) == 1
    assert not it.said("worker_crashed"), "what is told once is told again, with tracebacks"


async def test_a_locked_journal_is_refused_and_the_first_router_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        with pytest.raises(JournalOpenError):
            async with running(tmp_path):
                pass
        assert await it.push() == 200


async def test_a_taken_port_is_named_and_leaves_no_lock(tmp_path: Path) -> None:
    async with running(tmp_path / "a") as it:
        assert it.listening is not None
        with pytest.raises(StartError, match=r"^FER_LISTEN: .* in use"):
            async with running(tmp_path / "b", {"FER_LISTEN": it.listening.webhook[0]}):
                pass
    async with running(tmp_path / "b") as again:
        assert await again.push() == 200


async def test_without_an_admin_port(tmp_path: Path) -> None:
    async with running(tmp_path, {"FER_ADMIN__LISTEN": "off"}) as it:
        assert await it.push() == 200
        assert it.listening is not None
        assert it.listening.admin == []


async def test_events_over_a_long_connection_are_delivered_and_an_event_by_both_roads_once(tmp_path: Path) -> None:
    async with peer() as feishu:
        environ = {
            "FER_APP__MODE": "long_connection",
            "FER_APP__APP_ID": APP_ID,
            "FER_APP__APP_SECRET": "app-s3cret",
            "FER_APP__DOMAIN": feishu.domain,
            "FER_APP__CONNECTIONS": "1",
        }
        async with running(tmp_path, environ) as it:
            line = await feishu.line()
            push = department("d1", 1)
            await line.send(frames.event(1, SERVICE, "m1", orjson.dumps(push), 0))
            assert frames.ack_code(frames.decode(await line.next(2))) == 200
            assert await it.push_document(push) == 200
            await until(lambda: len(it.sink().envelopes) == 1)
            connections = json.loads((await it.page("/api/v1/connections"))[1])["connections"]
            assert [(row["state"], row["id"], row["events"]) for row in connections] == [("connected", "device-1", 1)]
            page = (await it.page("/metrics"))[1]
            assert 'fer_long_connections{app="",state="connected"} 1.0' in page
            assert 'fer_duplicates_total{app=""} 1.0' in page
        assert line.close_code == aiohttp.WSCloseCode.OK
        assert it.said("stopped")
        assert not it.said("drain_laggard")
        assert "app-s3cret" not in it.log.getvalue()


async def test_feishu_out_of_reach_keeps_nobody_from_working(tmp_path: Path) -> None:
    environ = {
        "FER_APPS": "hr,it",
        "FER_APP__HR__MODE": "long_connection",
        "FER_APP__HR__APP_ID": APP_ID,
        "FER_APP__HR__APP_SECRET": "app-s3cret",
        "FER_APP__HR__DOMAIN": "http://127.0.0.1:1",
        "FER_APP__IT__ENCRYPT_KEY": KEY,
    }
    async with running(tmp_path, environ, short_form=False) as it:
        await until(lambda: bool(it.said("long_connection_failed")))
        assert (await it.page("/readyz"))[0] == 200
        assert await it.push_document(department("d1", 1), "/it") == 200
        assert await it.push_document(department("d1", 1), "/hr") == 404, "it has no path"
    assert it.said("long_connection_failed")[0]["code"] == "unreachable"
    assert it.said("stopped")
