"""What operators do on a bad night, with the real program: its commands, its admin port, its journal."""

import asyncio
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from router.feishu.push import build
from tests.doubles.receiver import Received, Receiver
from tests.flow.feishu import ENVIRON, KEY, department
from tests.flow.program import PROGRAM, Program, eventually

PATIENCE = 60.0
DAY = ("a", "b", "c")


def settings(url: str, **more: str) -> dict[str, str]:
    iam = {"FER_SINKS": "iam", "FER_SINK__IAM__TYPE": "http", "FER_SINK__IAM__URL": url}
    return ENVIRON | iam | more


async def call(router: Program, *args: str) -> subprocess.CompletedProcess[str]:
    """A command with the router's own settings."""
    return await asyncio.to_thread(
        subprocess.run,
        [PROGRAM, *args],
        check=False,
        env=router.environ,
        cwd=router.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


async def done(router: Program, *args: str) -> str:
    """What a command that must succeed prints."""
    result = await call(router, *args)
    assert result.returncode == 0, result.stdout + result.stderr + router.tail()
    return result.stdout


async def soon(router: Program, fact: Callable[[], bool]) -> None:
    await asyncio.to_thread(eventually, fact, PATIENCE, router.tail)


async def push(router: Program, subjects: Sequence[str], numbers: range) -> None:
    """Events of departments, one after another, each answered 200."""
    async with aiohttp.ClientSession() as session:
        for number in numbers:
            for subject in subjects:
                body, headers = build(department(subject, number), KEY, time.time())
                async with session.post(router.url, data=body, headers=headers) as answer:
                    assert answer.status == 200


@dataclass
class Picky:
    """A receiver's behaviour: 400 for department a. refused: what it didn't take."""

    refused: list[Received] = field(default_factory=list)

    async def __call__(self, receiver: Receiver, request: web.BaseRequest, received: Received) -> web.StreamResponse:
        if json.loads(received.body)["subject"] != "a":
            return web.Response()
        self.refused.append(received)
        return web.Response(status=400, text="I don't know department a")


def arrived(receiver: Receiver, subject: str, refused: Sequence[Received] = ()) -> list[int]:
    """The numbers of a department's events as the receiver took them."""
    known = {id(request) for request in refused}  # one that comes again may be equal in every byte
    documents = [json.loads(request.body) for request in receiver.requests if id(request) not in known]
    return [one["data"]["number"] for one in documents if one["subject"] == subject]


async def take(receiver: Receiver, request: web.BaseRequest, received: Received) -> web.StreamResponse:
    return web.Response()


async def dead(router: Program) -> list[dict[str, object]]:
    letters: list[dict[str, object]] = json.loads(await done(router, "dead-letters", "list", "--json"))["letters"]
    return letters


async def test_dead_letters_are_seen_given_back_in_order_and_purged(tmp_path: Path) -> None:
    picky = Picky()
    async with Receiver(behave=picky) as receiver:
        with Program(tmp_path, settings(receiver.url)) as router:
            await push(router, DAY, range(1, 4))
            await soon(router, lambda: router.metric("fer_dead_total", sink="iam") == 3)
            await soon(router, router.settled)
            listed = await dead(router)
            assert [(one["subject"], one["reason"]) for one in listed] == [("a", "http_400")] * 3
            shown = await done(router, "dead-letters", "show", str(listed[0]["id"]))
            for words in ("malformed (400)", "I don't know department a", '"number": 1', "Attempts"):
                assert words in shown
            receiver.behave = take
            await push(router, ["a"], range(4, 5))
            said = await done(router, "dead-letters", "replay", "--sink", "iam", "--yes")
            assert said == "Gave back 3 dead letters.\n"
            await soon(router, lambda: len(arrived(receiver, "a", picky.refused)) == 4)
            assert [n for n in arrived(receiver, "a", picky.refused) if n != 4] == [1, 2, 3]
            assert arrived(receiver, "b") == [1, 2, 3]
            assert await dead(router) == []
            receiver.behave = picky
            await push(router, ["a"], range(5, 7))
            await soon(router, lambda: router.metric("fer_dead_total", sink="iam") == 5)
            await soon(router, router.settled)
            assert await done(router, "dead-letters", "purge", "--subject", "a", "--yes") == "Deleted 2 dead letters.\n"
            assert await dead(router) == []
            assert router.stop() == 0


async def test_a_pause_outlives_the_router(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        router = Program(tmp_path, settings(receiver.url))
        with router:
            await done(router, "sinks", "pause", "iam")
            await push(router, DAY, range(1, 2))
            router.kill()
        with router:
            (sink,) = json.loads(await done(router, "sinks", "list", "--json"))["sinks"]
            assert (sink["name"], sink["state"], sink["lag_events"]) == ("iam", "paused", 3)
            assert receiver.requests == []
            await done(router, "sinks", "resume", "iam")
            await receiver.wait_for(3)
            assert router.stop() == 0


async def test_history_is_sent_again(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        with Program(tmp_path, settings(receiver.url)) as router:
            await push(router, DAY, range(1, 4))
            await receiver.wait_for(9)
            await soon(router, router.settled)
            wanted = ["replay", "--sink", "iam", "--since", "1h", "--subject", "b"]
            assert "3 events" in await done(router, *wanted, "--dry-run")
            assert len(receiver.requests) == 9
            assert "Replay 1 has begun." in await done(router, *wanted, "--yes")
            await receiver.wait_for(12)
            assert arrived(receiver, "b") == [1, 2, 3, 1, 2, 3]
            await soon(router, lambda: router.metric("fer_replayed_total", sink="iam") == 3)
            (replay,) = json.loads(await done(router, "replays", "list", "--json"))["replays"]
            assert (replay["state"], replay["delivered"]) == ("ended", 3)
            assert len(receiver.requests) == 12
            assert router.stop() == 0


async def test_a_sink_that_is_no_more_is_forgotten(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        router = Program(tmp_path, settings(receiver.url))
        with router:
            await done(router, "sinks", "pause", "iam")
            await push(router, DAY, range(1, 2))
            refusal = await call(router, "sinks", "forget", "iam", "--yes")
            assert (refusal.returncode, "take it out of FER_SINKS" in refusal.stderr) == (1, True)
            router.stop()
        for name in [name for name in router.environ if name.startswith("FER_SINK")]:
            del router.environ[name]
        with router:
            sinks = json.loads(await done(router, "sinks", "list", "--json"))["sinks"]
            assert [(sink["name"], sink["state"]) for sink in sinks] == [("files", "running"), ("iam", "absent")]
            assert await done(router, "sinks", "forget", "iam", "--yes") == "iam is forgotten.\n"
            sinks = json.loads(await done(router, "sinks", "list", "--json"))["sinks"]
            assert [sink["name"] for sink in sinks] == ["files"]
            assert router.stop() == 0


async def test_what_a_killed_router_left_can_be_read(tmp_path: Path) -> None:
    picky = Picky()
    async with Receiver(behave=picky) as receiver:
        with Program(tmp_path, settings(receiver.url)) as router:
            await push(router, DAY, range(1, 4))
            await soon(router, router.settled)
            alive = await dead(router)
            router.kill()
            result = await call(router, "dead-letters", "list", "--json")
            assert json.loads(result.stdout)["letters"] == alive
            assert "this is read from" in result.stderr
            assert len(alive) == 3
            changing = await call(router, "dead-letters", "replay", "--all", "--yes")
            assert (changing.returncode, "Start the router" in changing.stderr) == (1, True)
            router.start()
            receiver.behave = take
            await done(router, "dead-letters", "replay", "--all", "--yes")
            await soon(router, lambda: arrived(receiver, "a", picky.refused) == [1, 2, 3])
            assert router.stop() == 0


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


async def test_in_a_pod_the_commands_work_and_the_port_gives_nothing_away(tmp_path: Path) -> None:
    """The admin port listens on all interfaces for Prometheus and the probes; there is no token."""
    router = Program(tmp_path, ENVIRON)
    router.environ["FER_ADMIN__LISTEN"] = f"0.0.0.0:{router.admin}"
    with router:
        assert (await done(router, "sinks", "list")).splitlines()[2].split()[0] == "files"
        await done(router, "sinks", "pause", "files")
        assert await asyncio.to_thread(status, f"http://127.0.0.1:{router.admin}/api/v1/sinks") == 403
        assert router.stop() == 0
