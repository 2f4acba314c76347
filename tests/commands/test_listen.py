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
from router.simulator.long_connection import LOST
from router.simulator.simulator import APP_ID, APP_SECRET, Behaviour, Simulator
from tests.commands.routers import call
from tests.commands.terminals import Terminal
from tests.doubles.dead_ends import disk_full
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
        receiver.behave = reply(200, b"done")
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
        await until(lambda: record.attempts != [])
        assert record.attempts[0].answer == LOST


async def test_when_the_disk_is_full_it_ends_and_the_event_goes_back() -> None:
    async with Simulator(behaviour=QUICK) as feishu:
        full = disk_full()
        process = await started(feishu, stdout=full)
        os.close(full)
        await until(lambda: feishu.connections() == 1, PATIENCE)
        record = feishu.push(fresh(sample(DEPARTMENT), 1e9, ""))
        status, _, err = await Program(process).ended()
        await until(lambda: record.attempts != [])
        assert record.attempts[0].answer == LOST
    connected, *rest = err.splitlines()
    assert connected.startswith("Connected to ")
    assert (status, rest) == (1, ["Error: can't write the output: No space left on device"])


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


@pytest.mark.parametrize("environ", [{}, {"NO_COLOR": "1"}])
async def test_on_a_terminal_answers_have_colours_unless_they_are_not_wanted(environ: dict[str, str]) -> None:
    async with Simulator(behaviour=QUICK) as feishu, Receiver() as receiver:
        args = ("--domain", feishu.domain, "--app-id", APP_ID, "--forward", receiver.url, "--json", "--count", "1")
        with Terminal({"FEISHU_APP_SECRET": APP_SECRET, **environ}, "listen", *args) as terminal:
            await until(lambda: feishu.connections() == 1, PATIENCE)
            feishu.push(fresh(sample(DEPARTMENT), 1e9, ""))
            assert await asyncio.to_thread(terminal.end) == 0
    assert "\\u001b" not in terminal.seen
    assert ("\x1b[32m200\x1b[0m" in terminal.seen) is (not environ)
    assert ("\x1b" in terminal.seen) is (not environ)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--token-file", "t"), "are the program's that --forward names"),
        (("--encrypt-key-file", "t"), "are the program's that --forward names"),
        (("--timeout", "3"), "are the program's that --forward names"),
        (("--forward", "localhost:3000"), "--forward: expected a URL"),
        (("--forward", "http://localhost:1/", "--token-file", "/nowhere"), "there is no file /nowhere"),
        (("--forward", "http://u:p@localhost:1/"), "--forward: no user or password in the URL"),
        (("--type", ""), "is empty"),
        (("--type", "corehr.*", "--type", "["), "'--type'"),
        (("--tls-ca-file", "/nowhere"), "--tls-ca-file: there is no file /nowhere"),
        (("--count", "0"), "--count"),
        (("--json", "--cloudevents"), "exclude each other"),
    ],
)
def test_usage_that_makes_no_sense(args: tuple[str, ...], words: str) -> None:
    result = call("listen", "--domain", "http://127.0.0.1:1", "--app-id", "a", *args, FEISHU_APP_SECRET="x")
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_file_of_authorities_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    options = ("--domain", "https://127.0.0.1:1", "--app-id", "a", "--tls-ca-file", str(file))
    result = call("listen", *options, FEISHU_APP_SECRET="x")
    assert result.exit_code == 2
    assert f"--tls-ca-file: {file} holds no CA certificate in PEM" in result.stderr


@pytest.mark.parametrize(("pattern", "noted"), [("corehr.departmnt.*", True), ("!corehr.*", False)])
def test_a_type_that_is_not_known_is_noted(pattern: str, *, noted: bool) -> None:
    options = ("--domain", "http://127.0.0.1:1", "--app-id", "a", "--type", pattern)
    result = call("listen", *options, FEISHU_APP_SECRET="x")
    assert result.exit_code == 1
    assert (f"--type {pattern} matches no event type known to this version" in result.stderr) is noted
