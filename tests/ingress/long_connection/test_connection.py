"""One connection through its life: losses, refusals, and what an operator sees of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest

from router.ingress.long_connection.connection import Connection, Role
from router.ingress.long_connection.dialer import Dialer
from tests.doubles.hurried import HurriedClock
from tests.doubles.peer import Peer, peer
from tests.doubles.waiting import until
from tests.ingress.long_connection.worlds import SECRET, Observed, Recorder, app, code, frame


class World(Observed):
    def __init__(self, there: Peer) -> None:
        super().__init__(HurriedClock())
        self.peer = there
        there.ponging = True
        self.dialer = Dialer(app(there.domain))
        self.connection = Connection(Role("hr", 1), self.dialer, Recorder(), 2.3, self.tools)
        self.task = asyncio.create_task(self.connection.run())

    async def state(self, wanted: str) -> None:
        await until(lambda: self.connection.row().state == wanted)

    async def ended(self) -> None:
        self.connection.stop()
        async with asyncio.timeout(30):
            await self.task


@asynccontextmanager
async def world(*answers: tuple[int, bytes], handshakes: int = 0) -> AsyncIterator[World]:
    async with peer() as there:
        there.answers += answers
        there.handshakes += [(503, {})] * handshakes
        made = World(there)
        try:
            yield made
        finally:
            await made.ended()
            await made.dialer.close()
        assert SECRET not in made.log.getvalue()
        assert "t1cket" not in made.log.getvalue()


def refusal(number: int) -> tuple[int, bytes]:
    return 200, orjson.dumps({"code": number, "msg": "their words", "data": {}})


async def test_it_comes_up_and_takes_events() -> None:
    async with world() as it:
        line = await it.peer.line()
        await it.state("connected")
        await line.send(frame())
        assert code(await line.next(2)) == 200
        row = it.connection.row()
        assert (row.app, row.number, row.id, row.reason, row.events) == ("hr", 1, "device-1", "", 1)
        assert row.last_event_ms
        assert it.count("long_connection_ups", app="hr") == 1
        assert it.said("long_connection_up")[0]["id"] == "device-1"


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_lost_it_is_made_again_with_a_new_address(how: str) -> None:
    async with world() as it:
        line = await it.peer.line()
        await line.send(frame())
        await line.next(2)
        if how == "close":
            await line.socket.close(code=1001)
        else:
            line.reset()
        again = await it.peer.line(1)
        assert "device_id=device-2" in again.query
        await it.state("connected")
        assert it.connection.row().events == 1
        (lost,) = it.said("long_connection_lost")
        assert lost["reason"] == ("closed" if how == "close" else "reset")


async def test_attempts_that_fail_are_told_and_go_on_at_the_servers_interval() -> None:
    async with world((500, b""), (200, b"<html>"), refusal(1), handshakes=2) as it:
        await it.peer.line()
        await it.state("connected")
        assert len(it.peer.asked) == 6
        codes = {line["code"] for line in it.said("long_connection_failed")}
        assert codes == {"http_500", "not_json", "1", "handshake_503"}
        assert not it.said("long_connection_refused")
        first, *others = (line["again_seconds"] for line in it.said("long_connection_failed"))
        assert first <= 3, "the server has not said yet how long to wait"
        assert all(12 <= each <= 18 for each in others)
        line = await it.peer.line()
        await line.send(frame())
        await line.next(2)
        line.reset()
        await it.peer.line(1)
        assert it.said("long_connection_lost")[0]["again_seconds"] == 0.0, "a first loss again, within the nonce"


async def test_a_peer_that_lets_in_and_hangs_up_is_asked_again_at_its_interval() -> None:
    async with world() as it:
        for number in range(3):
            (await it.peer.line(number)).reset()
        await it.peer.line(3)
        first, *others = (line["again_seconds"] for line in it.said("long_connection_lost"))
        assert first == 0.0
        assert len(others) == 2
        assert all(each > 0 for each in others)


@pytest.mark.parametrize(("number", "verdict"), [(514, "fatal"), (1000040350, "slowly"), (99, "fatal")])
async def test_a_refusal_is_shown_and_tried_again_slowly(number: int, verdict: str) -> None:
    async with world(refusal(number)) as it:
        await it.state("refused")
        row = it.connection.row()
        assert "their words" in row.reason
        assert row.next_ms - row.since_ms >= (300_000 if verdict == "fatal" else 60_000) - 1
        assert it.connection.refused_by == ("other" if number == 99 else str(number))
        (line,) = it.said("long_connection_refused")
        assert (line["app"], line["verdict"], line["level"]) == ("hr", verdict, "error")
        await it.peer.line()
        await it.state("connected")
        assert it.connection.refused_by == ""
        assert it.connection.row().reason == ""


async def test_tried_tells_the_first_attempts_end() -> None:
    async with world(refusal(514)) as it:
        await asyncio.wait_for(it.connection.tried(), 30)
        assert it.connection.row().state == "refused"


@pytest.mark.parametrize("number", [0, 514])
async def test_told_to_end_it_ends_whatever_it_waits_for(number: int) -> None:
    async with world(*([refusal(number)] if number else [])) as it:
        await it.state("refused" if number else "connected")
        await it.ended()
        assert it.connection.row().state == "stopped"
    assert not it.said("long_connection_lost")


async def test_a_server_that_says_nothing_to_the_handshake_holds_up_no_end() -> None:
    async with peer() as there, asyncio.TaskGroup() as group:
        stuck = asyncio.Event()

        async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            stuck.set()
            await ended.wait()
            writer.close()

        ended = asyncio.Event()
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        there.answers.append((200, orjson.dumps({"code": 0, "data": {"URL": f"ws://{host}:{port}/"}})))
        seen = Observed()
        dialer = Dialer(app(there.domain))
        connection = Connection(Role("hr", 1), dialer, Recorder(), 2.3, seen.tools)
        task = group.create_task(connection.run())
        await asyncio.wait_for(stuck.wait(), 30)
        connection.stop()
        await asyncio.wait_for(task, 30)
        ended.set()
        server.close()
        await dialer.close()
