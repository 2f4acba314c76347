"""The program itself, connected to a stand-in for the router."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

import orjson
import pytest

from router.feishu.discovery import ClientConfig
from router.feishu.samples import fresh, sample, seed_types
from router.simulator.account import State
from router.simulator.simulator import APP_ID, APP_SECRET, Behaviour, Simulator
from tests.commands.routers import call
from tests.commands.terminals import Terminal
from tests.doubles.receiver import Receiver, reply
from tests.doubles.waiting import until

ROOT = Path(__file__).parents[2]
QUICK = Behaviour(compress=1000.0, config=ClientConfig(-1, 1.0, 1.0, 10.0))
DEPARTMENT = "corehr.department.updated_v2"
PATIENCE = 90.0


class Program:
    """`listen` as a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> bytes:
        assert self._process.stdout is not None
        return await asyncio.wait_for(self._process.stdout.readline(), PATIENCE)

    async def ended(self) -> tuple[int | None, bytes, str]:
        out, err = await asyncio.wait_for(self._process.communicate(), PATIENCE)
        return self._process.returncode, out, err.decode()

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()


@asynccontextmanager
async def listen(feishu: Simulator, *args: str, **environ: str) -> AsyncIterator[Program]:
    """Connected to the stand-in."""
    process = await started(feishu, *args, environ=environ)
    program = Program(process)
    try:
        await until(lambda: feishu.connections() == 1, PATIENCE)
        yield program
    finally:
        program.kill()
        await process.wait()


async def started(
    feishu: Simulator,
    *args: str,
    stdout: int = asyncio.subprocess.PIPE,
    environ: Mapping[str, str] = MappingProxyType({}),
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "router", "listen", "--domain", feishu.domain, "--app-id", APP_ID, *args),
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "FEISHU_APP_SECRET": APP_SECRET, **environ},
    )


async def test_pushes_are_printed_as_they_came_until_ctrl_c() -> None:
    async with Simulator(behaviour=QUICK) as feishu, listen(feishu) as program:
        pushes = [fresh(sample(type_), 1e9, "") for type_ in seed_types()]
        for push in pushes:
            assert (await feishu.deliver(push)).state is State.ACCEPTED
            assert await program.line() == orjson.dumps(push) + b"\n"
        program.interrupt()
        status, out, err = await program.ended()
    assert (status, out) == (0, b"")
    assert err.startswith(f"Connected to {feishu.domain} as {APP_ID}")
    assert APP_SECRET not in err


async def test_only_what_is_wanted_as_cloudevents_and_so_many() -> None:
    args = ("--type", "corehr.*", "--type", "!*.employee.*", "--subject", "70*", "--cloudevents", "--count", "2")
    async with Simulator(behaviour=QUICK) as feishu, listen(feishu, *args) as program:
        for type_ in ("corehr.employee.domain_event_v2", DEPARTMENT, DEPARTMENT):
            assert (await feishu.deliver(fresh(sample(type_), 1e9, ""))).state is State.ACCEPTED
        status, out, err = await program.ended()
    assert status == 0
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["type"] for event in events] == [DEPARTMENT, DEPARTMENT]
    assert events[0]["specversion"] == "1.0"
    assert "1 event left out" in err


async def test_a_program_gets_each_event_until_it_takes_it() -> None:
    async with (
        Simulator(behaviour=QUICK) as feishu,
        Receiver(behave=reply(500, b"not yet")) as receiver,
        listen(feishu, "--forward", receiver.url, "--count", "1", FEISHU_ENCRYPT_KEY="a-key") as program,
    ):
        record = feishu.push(fresh(sample(DEPARTMENT), 1e9, ""))
        await receiver.wait_for(1, PATIENCE)
        receiver.behave = reply(200)
        await until(lambda: record.state is State.ACCEPTED, PATIENCE)
        status, out, _ = await program.ended()
    assert status == 0
    lines = out.decode().splitlines()
    assert "answered 500 with: not yet" in lines[0]
    assert "  200  " in lines[-1]
    assert all(line.endswith(" ms") for line in lines)
    assert receiver.requests[0].body.startswith(b'{"encrypt":"')


async def test_when_nobody_reads_any_more_it_ends_and_the_event_goes_back() -> None:
    async with Simulator(behaviour=QUICK) as feishu:
        reading, writing = os.pipe()
        process = await started(feishu, stdout=writing)
        os.close(writing)
        os.close(reading)
        await until(lambda: feishu.connections() == 1, PATIENCE)
        record = feishu.push(fresh(sample(DEPARTMENT), 1e9, ""))
        status, _, err = await Program(process).ended()
        assert status == 0
        assert "Traceback" not in err
        assert record.state is State.WAITING


async def test_on_a_terminal_events_are_easy_to_read() -> None:
    async with Simulator(behaviour=QUICK) as feishu:
        environ = {"FEISHU_APP_SECRET": APP_SECRET}
        with Terminal(environ, "listen", "--domain", feishu.domain, "--app-id", APP_ID) as terminal:
            await until(lambda: feishu.connections() == 1, PATIENCE)
            await feishu.deliver(fresh(sample(DEPARTMENT), 1e9, ""))
            await asyncio.to_thread(terminal.wait_for, '"department_id": "7043711774159341101"')
            terminal.interrupt()
            assert await asyncio.to_thread(terminal.end) == 0
    assert "\x1b[1mcorehr.department.updated_v2\x1b[0m" in terminal.seen


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--token-file", "t"), "are the program's that --forward names"),
        (("--encrypt-key-file", "t"), "are the program's that --forward names"),
        (("--forward", "localhost:3000"), "--forward: expected a URL"),
        (("--forward", "http://localhost:1/", "--token-file", "/nowhere"), "there is no file /nowhere"),
        (("--type", ""), "is empty"),
        (("--count", "0"), "--count"),
        (("--json", "--cloudevents"), "exclude each other"),
    ],
)
def test_usage_that_makes_no_sense(args: tuple[str, ...], words: str) -> None:
    result = call("listen", "--domain", "http://127.0.0.1:1", "--app-id", "a", *args, FEISHU_APP_SECRET="x")
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_file_of_authorities_that_is_none() -> None:
    options = ("--domain", "https://127.0.0.1:1", "--app-id", "a", "--tls-ca-file", "/nowhere")
    result = call("listen", *options, FEISHU_APP_SECRET="x")
    assert result.exit_code == 1
    assert "/nowhere" in result.stderr
