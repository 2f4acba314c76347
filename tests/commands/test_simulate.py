"""`simulate` as its users see it: the real program, against receivers and clients of long connections."""

import asyncio
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from click.testing import CliRunner
from multidict import CIMultiDict

from router.cli import cli
from router.feishu.callback import Challenge, Event, Keyring, receive
from router.feishu.samples import sample, seed_types
from router.simulator.faults import FAULTS
from router.simulator.simulator import APP_ID, APP_SECRET
from tests.commands.terminals import Terminal
from tests.doubles.receiver import Received, Receiver
from tests.simulator.clients import Client

PATIENCE = 60.0
PLAYING = Keyring([], [])


class Target:
    """A receiver with these keys. statuses: what the next events are answered; 200 when there are no more."""

    def __init__(self, keyring: Keyring = PLAYING, *statuses: int) -> None:
        self.keyring = keyring
        self.statuses = list(statuses)
        self.events: list[Event] = []

    async def __call__(self, receiver: Receiver, request: web.BaseRequest, received: Received) -> web.StreamResponse:
        result = receive(self.keyring, "", CIMultiDict(received.headers), received.body, 1e9)
        if isinstance(result, Challenge):
            return web.Response(body=result.answer)
        if not isinstance(result, Event):
            return web.Response(status=401)
        self.events.append(result)
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@asynccontextmanager
async def simulating(*args: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "router", "simulate", *args, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def simulate(*args: str) -> tuple[int, str, str]:
    async with simulating(*args) as process, asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


async def listening(process: Process) -> str:
    """The domain, once it is said."""
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE):
        line = (await process.stderr.readline()).decode()
    found = re.search(r"Domain: (\S+)", line)
    assert found, line
    return found[1]


async def test_the_five_events_to_a_webhook_with_key_and_token(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a key\n")
    (tmp_path / "token").write_text("a token\n")
    target = Target(Keyring(["a key"], ["a token"]))
    keys = ["--encrypt-key-file", str(tmp_path / "key"), "--token-file", str(tmp_path / "token")]
    async with Receiver(behave=target) as receiver:
        status, out, err = await simulate("--webhook", receiver.url, *keys)
    assert status == 0, err
    assert [event.envelope.type for event in target.events] == seed_types()
    assert {event.envelope.appid for event in target.events} == {APP_ID}
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[:5]] == seed_types()
    assert "5 events" in lines[5]
    assert "5 accepted, 0 lost" in lines[5]
    assert "a key" not in out + err


async def test_what_is_lost_is_named_and_the_exit_status_says_so() -> None:
    async with Receiver(behave=Target(PLAYING, *[500] * 5)) as receiver:
        status, out, _ = await simulate("--webhook", receiver.url, "--type", "a.b_v1", "--compress", "1e6", "--json")
    assert status == 1
    account = orjson.loads(out)
    assert (account["lost"], account["good"]) == (1, False)
    assert [attempt["answer"] for attempt in account["each"][0]["attempts"]] == ["500"] * 5


async def test_what_still_waits_when_time_is_up_was_refused_and_the_exit_status_says_so() -> None:
    async with Receiver(behave=Target(PLAYING, *[500] * 1000)) as receiver:
        status, out, _ = await simulate("--webhook", receiver.url, "--for", "1s", "--rate", "5")
    assert status == 1
    assert "waiting for another attempt" in out
    assert "of them refused" in out


async def test_a_webhook_that_feishu_would_not_take() -> None:
    async with Receiver() as receiver:
        status, _, err = await simulate("--webhook", receiver.url)
        assert status == 1
        assert "did not come back" in err
        assert len(receiver.requests) == 1, "events were pushed all the same"


async def test_a_file_of_events_many_times_with_copies_and_faults(tmp_path: Path) -> None:
    file = tmp_path / "events.json"
    file.write_bytes(orjson.dumps([sample("corehr.department.updated_v2"), sample("approval_instance")]))
    target = Target()
    how = ["--count", "60", "--duplicates", "0.3", "--fault", "at-once", "--fault", "cut=0.1", "--compress", "1e6"]
    async with Receiver(behave=target) as receiver:
        status, out, err = await simulate("--webhook", receiver.url, "--file", str(file), *how)
    assert status == 0, err
    assert {event.envelope.type for event in target.events} == {"corehr.department.updated_v2", "approval_instance"}
    assert len({event.envelope.id for event in target.events}) == 60
    assert len(target.events) > 60
    assert "60 accepted" in out
    assert "at-once: 1" in out


async def test_long_connections_with_what_it_prints() -> None:
    async with simulating("--listen", "127.0.0.1:0", "--json") as process:
        domain = await listening(process)
        async with Client(domain, APP_ID, APP_SECRET) as client:
            await client.connect()
            async with asyncio.timeout(PATIENCE):
                out, _ = await process.communicate()
            assert process.returncode == 0
            account = orjson.loads(out)
            assert account["answers"] == {"long_connection": {"200": 5}}
            assert [each["header"]["event_type"] for each in client.documents] == seed_types()


async def test_scripts_drive_it_until_ctrl_c() -> None:
    async with simulating("--listen", "127.0.0.1:0", "--count", "0") as process:
        domain = await listening(process)
        async with Client(domain) as client, aiohttp.ClientSession() as http:
            await client.connect()
            async with http.post(f"{domain}/simulate/push?wait=1&type=a.b_v1") as answer:
                told: Any = await answer.json()
            assert told["pushed"][0]["state"] == "accepted"
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(PATIENCE):
                out, _ = await process.communicate()
            assert process.returncode == 0
            assert b"1 events" in out


async def test_it_ends_after_a_while_with_what_there_is() -> None:
    async with Receiver(behave=Target()) as receiver:
        status, out, _ = await simulate("--webhook", receiver.url, "--for", "0.5s", "--rate", "100")
        assert status == 0
        found = re.search(r"(\d+) events in (\S+) s", out)
        assert found, out
        assert 0 < int(found[1]) <= 100 * float(found[2]) + 10


@pytest.mark.parametrize("environ", [{}, {"NO_COLOR": "1"}])
def test_a_bar_at_a_terminal(environ: dict[str, str]) -> None:
    terminal = Terminal(environ, "simulate", "--listen", "127.0.0.1:0", "--count", "1000")
    terminal.wait_for("waiting for a connection")
    terminal.interrupt()
    assert terminal.end() == 1
    assert "Pushing" in terminal.seen
    assert "\r\x1b[K" in terminal.seen, "what is told clears the bar's line"
    assert "0 events" in terminal.seen


async def test_a_run_to_which_nobody_connects_is_no_success() -> None:
    status, out, err = await simulate("--listen", "127.0.0.1:0", "--count", "1", "--for", "0.1s")
    assert (status, out.startswith("0 events")) == (1, True)
    assert "Nobody connected" in err
    status, _, err = await simulate("--listen", "127.0.0.1:0", "--count", "0", "--for", "0.1s")
    assert status == 0, "scripts push, or not"
    assert "Nobody" not in err


def test_an_address_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = CliRunner().invoke(cli, ["simulate", "--listen", f"127.0.0.1:{taken.getsockname()[1]}"])
    assert done.exit_code == 1
    assert "can't listen on 127.0.0.1" in done.output


def test_the_faults_are_listed() -> None:
    done = CliRunner().invoke(cli, ["simulate", "--list-faults"])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(FAULTS)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--webhook", "localhost"], "must begin with http"),
        (["--listen", "nowhere"], "expected address:port"),
        (["--listen", "0.0.0.0:7777"], "a secret of your own"),
        (["--token-file", "{short}"], "are for --webhook"),
        (["--app-secret-file", "{short}"], "16 characters or more"),
        (["--app-secret-file", "{empty}"], "is empty"),
        (["--fault", "rset"], "did you mean reset"),
        (["--fault", "reset=2"], "between 0 and 1"),
        (["--fault", "reset=x"], "between 0 and 1"),
        (["--fault", "reset=nan"], "between 0 and 1"),
        (["--for", "soon"], "such as 90s"),
        (["--for", "0"], "such as 90s"),
        (["--count", "-1"], "-1"),
        (["--type", ""], "--type is empty"),
    ],
)
def test_wrong_usage(tmp_path: Path, args: list[str], words: str) -> None:
    (tmp_path / "short").write_text("short")
    (tmp_path / "empty").write_text("\n")
    given = [arg.format(short=tmp_path / "short", empty=tmp_path / "empty") for arg in args]
    done = CliRunner().invoke(cli, ["simulate", *given])
    assert done.exit_code == 2, done.output
    assert words in " ".join(done.output.split())
