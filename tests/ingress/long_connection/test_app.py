"""The connections of one app: staggered, several, and changed over to other credentials without a gap."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import trustme
from pydantic import SecretStr

from router.feishu.discovery import ClientConfig
from router.ingress.intake import Intake
from router.ingress.load import Load
from router.ingress.long_connection.app import AppConnections, CredentialsError
from router.ingress.long_connection.waits import SLOWLY_SECONDS
from router.settings.model import IngressSettings
from router.simulator.simulator import APP_ID as SIMULATED
from router.simulator.simulator import APP_SECRET, Behaviour, Simulator
from tests.doubles.commanded_journal import CommandedJournal
from tests.doubles.hurried import HurriedClock
from tests.doubles.peer import Peer, peer
from tests.doubles.waiting import until
from tests.ingress.long_connection.worlds import Observed, app, code, frame


class World(Observed):
    def __init__(self, there: Peer, **changes: Any) -> None:
        super().__init__(HurriedClock(10.0))
        self.peer = there
        there.ponging = True
        self.journal = CommandedJournal()
        intake = Intake(self.journal, self.telemetry, self.tools.clock, Load(100, 1 << 20))
        self.settings = app(there.domain, **changes)
        self.connections = AppConnections("hr", self.settings, intake, IngressSettings(), self.tools)
        self.task = asyncio.create_task(self.connections.run())

    @property
    def states(self) -> list[str]:
        return [row.state for row in self.connections.rows()]

    async def up(self) -> None:
        count = self.settings.connections
        await until(lambda: self.states == ["connected"] * count)


@asynccontextmanager
async def world(**changes: Any) -> AsyncIterator[World]:
    async with peer() as there:
        made = World(there, **changes)
        try:
            yield made
        finally:
            await made.connections.stop(5.0)
            made.task.cancel()
            await asyncio.wait([made.task])
            await made.connections.close()
        assert made.task.cancelled()


def secrets(there: Peer) -> list[str]:
    return [body["AppSecret"] for _, body in there.asked]


async def test_each_connection_takes_events_by_itself() -> None:
    async with world(connections=3) as it:
        await it.up()
        assert [row.number for row in it.connections.rows()] == [1, 2, 3]
        for number, line in enumerate(it.peer.lines):
            await line.send(frame(number))
            assert code(await line.next(2)) == 200
        assert {event.id for event in it.journal.events} == {"e0", "e1", "e2"}
        it.peer.lines[1].reset()
        await it.peer.line(3)
        await it.up()
        assert not it.peer.lines[0].ended.is_set()


async def test_a_new_secret_comes_up_before_the_old_one_goes() -> None:
    async with world() as it:
        await it.up()
        opened: list[int] = []
        for line in it.peer.lines[:2]:
            watched = asyncio.create_task(_when(line.ended, lambda: opened.append(len(it.peer.lines))))
            watched.add_done_callback(lambda task: task.result())
        await it.connections.use(app(it.peer.domain, app_secret=SecretStr("new")))
        await until(lambda: len(opened) == 2)
        assert opened[0] >= 3
        assert opened[1] >= 4
        assert secrets(it.peer)[2:] == ["new", "new"]
        await it.up()
        assert [line.close_code for line in it.peer.lines] == [1000, 1000, None, None]
        it.peer.lines[2].reset()
        await it.peer.line(4)
        assert secrets(it.peer)[4] == "new"


async def _when(event: asyncio.Event, then: Callable[[], None]) -> None:
    await event.wait()
    then()


@pytest.mark.parametrize(("limit", "most_refused"), [(3, 0), (2, 4)])
async def test_there_is_never_more_than_one_connection_too_many(tmp_path: Path, limit: int, most_refused: int) -> None:
    """Where there may be none too many, each new one comes up as soon as its old one has made room."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    async with Simulator(behaviour=Behaviour(max_connections=limit, config=ClientConfig(-1, 1, 1, 120))) as feishu:
        seen = Observed(HurriedClock(10.0))
        intake = Intake(CommandedJournal(), seen.telemetry, seen.tools.clock, Load(100, 1 << 20))
        old = app(feishu.domain, app_id=SIMULATED, app_secret=APP_SECRET)
        connections = AppConnections("hr", old, intake, IngressSettings(), seen.tools)
        task = asyncio.create_task(connections.run())
        await until(lambda: [row.state for row in connections.rows()] == ["connected"] * 2)
        first = {row.id for row in connections.rows()}
        begun = seen.tools.clock.monotonic()
        await connections.use(old.model_copy(update={"tls_ca_file": tmp_path / "ca.pem"}))
        await until(lambda: [row.state for row in connections.rows()] == ["connected"] * 2)
        assert seen.tools.clock.monotonic() - begun < SLOWLY_SECONDS
        assert seen.log.getvalue().count("connection_refused") <= most_refused
        assert not first & {row.id for row in connections.rows()}
        await connections.stop(5.0)
        task.cancel()
        await asyncio.wait([task])
        await connections.close()


@pytest.mark.parametrize("answer", [(200, b'{"code":514,"msg":"wrong","data":{}}'), (500, b"")])
async def test_a_secret_that_is_not_taken_leaves_all_as_it_was(answer: tuple[int, bytes]) -> None:
    async with world() as it:
        await it.up()
        it.peer.answers.append(answer)
        with pytest.raises(CredentialsError, match=r"wrong|500"):
            await it.connections.use(app(it.peer.domain, app_secret=SecretStr("n3w-s3cret")))
        assert it.states == ["connected", "connected"]
        assert not any(line.ended.is_set() for line in it.peer.lines)
        assert "n3w-s3cret" not in it.log.getvalue()
        it.peer.lines[0].reset()
        await it.peer.line(2)
        assert secrets(it.peer)[-1] == it.peer.asked[0][1]["AppSecret"]


async def test_where_only_the_number_is_too_large_the_old_ones_make_room() -> None:
    async with world(connections=1) as it:
        await it.up()
        it.peer.answers.append((200, orjson.dumps({"code": 1000040350, "data": {}})))
        await it.connections.use(app(it.peer.domain, connections=1, app_secret=SecretStr("new")))
        assert it.peer.lines[0].ended.is_set()
        await it.peer.line(1, patience=20)
        await it.up()


async def test_keys_alone_change_no_connection() -> None:
    async with world() as it:
        await it.up()
        await it.connections.use(it.settings.model_copy(update={"verification_token": [SecretStr("t0ken")]}))
        line = it.peer.lines[0]
        await line.send(frame(1, b'{"t0ken":1}'))
        assert code(await line.next(2)) == 200
        assert b"t0ken" not in it.journal.letters[0].body
        assert len(it.peer.asked) == 2


async def test_stopped_it_acknowledges_first_and_says_who_is_left() -> None:
    async with world() as it:
        await it.up()
        it.journal.auto = False
        line = it.peer.lines[0]
        await line.send(frame(1))
        await it.journal.wait_appended(1)
        stopping = asyncio.create_task(it.connections.stop(5.0))
        await until(it.peer.lines[1].ended.is_set)
        assert not line.ended.is_set()
        it.journal.commit()
        assert await stopping == 0
        assert code(line.received[-1]) == 200
        assert it.states == ["stopped", "stopped"]


async def test_stopping_has_an_end() -> None:
    async with world() as it:
        await it.up()
        it.journal.auto = False
        await it.peer.lines[0].send(frame(1))
        await it.journal.wait_appended(1)
        assert await it.connections.stop(0.05) >= 1
        it.journal.commit()
