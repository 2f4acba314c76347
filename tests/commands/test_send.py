"""`send` against a real HTTP server that checks every push as the router does."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from router.cli import cli
from router.feishu.callback import Challenge, Event, Keyring, Quarantined, Refused, receive
from router.feishu.samples import sample, seed_types

KEY, TOKEN = "an encrypt key", "a-verification-token"
BOTH = {"FER_APP__ENCRYPT_KEY": KEY, "FER_APP__VERIFICATION_TOKEN": TOKEN}


class Receiver:
    """Runs in a thread of its own. status: what it answers to an event."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self.status = 200
        self.got: list[tuple[str, Event | Challenge | Refused | Quarantined]] = []
        self.port = 0

    async def handle(self, request: web.BaseRequest) -> web.Response:
        result = receive(self.keyring, "", request.headers, await request.read(), 1e9)
        self.got.append((request.path, result))
        if isinstance(result, Challenge):
            return web.Response(body=result.answer)
        return web.Response(status=result.status if isinstance(result, Refused) else self.status)

    @property
    def events(self) -> list[Event]:
        return [result for _, result in self.got if isinstance(result, Event)]

    def run(self, ready: threading.Event, stop: Callable[[asyncio.Event], None]) -> None:
        asyncio.run(self._serve(ready, stop))

    async def _serve(self, ready: threading.Event, stop: Callable[[asyncio.Event], None]) -> None:
        stopped = asyncio.Event()
        stop(stopped)
        runner = web.ServerRunner(web.Server(self.handle))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self.loop = asyncio.get_running_loop()
        ready.set()
        await stopped.wait()
        await runner.cleanup()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver(Keyring([KEY], [TOKEN]))
    ready = threading.Event()
    stops: list[asyncio.Event] = []
    thread = threading.Thread(target=server.run, args=(ready, stops.append))
    thread.start()
    assert ready.wait(10)
    yield server
    server.loop.call_soon_threadsafe(stops[0].set)
    thread.join(10)
    assert not thread.is_alive()


def send(port: int, *args: str, **settings: str) -> Result:
    environ = {"FER_LISTEN": f"127.0.0.1:{port}"} | (settings or BOTH)
    return CliRunner().invoke(cli, ["send", *args], env=environ)


def test_one_of_each_of_the_five(receiver: Receiver) -> None:
    result = send(receiver.port)
    assert result.exit_code == 0, result.output
    assert [event.envelope.type for event in receiver.events] == seed_types()
    assert {path for path, _ in receiver.got} == {"/webhook/event"}
    lines = result.stdout.splitlines()
    for line, event in zip(lines, receiver.events, strict=True):
        type_, id_, status, milliseconds, unit = line.split()
        assert (type_, id_, status, unit) == (event.envelope.type, event.envelope.id, "200", "ms")
        assert float(milliseconds) > 0
    assert len({event.envelope.id for event in receiver.events}) == 5


def test_plain_with_the_token_when_there_is_no_key(receiver: Receiver) -> None:
    receiver.keyring = Keyring([], [TOKEN])
    assert send(receiver.port, FER_APP__VERIFICATION_TOKEN=TOKEN).exit_code == 0
    assert len(receiver.events) == 5


def test_the_app_id_of_the_settings(receiver: Receiver) -> None:
    receiver.keyring = Keyring([KEY], [TOKEN], "cli_mine")
    assert send(receiver.port, **BOTH, FER_APP__APP_ID="cli_mine").exit_code == 0
    assert send(receiver.port).exit_code == 1


def test_one_of_several_apps(receiver: Receiver) -> None:
    apps = {"FER_APPS": "hr,it", "FER_APP__HR__ENCRYPT_KEY": "x", "FER_APP__IT__ENCRYPT_KEY": KEY}
    apps |= {"FER_APP__IT__VERIFICATION_TOKEN": TOKEN}
    assert send(receiver.port, "--app", "it", **apps).exit_code == 0
    assert {path for path, _ in receiver.got} == {"/webhook/event/it"}
    several = send(receiver.port, **apps)
    assert several.exit_code == 2
    assert "--app: hr, it" in several.output
    unknown = send(receiver.port, "--app", "itt", **apps)
    assert unknown.exit_code == 2
    assert "'itt'; did you mean it" in unknown.output


def test_types_in_turn(receiver: Receiver) -> None:
    result = send(receiver.port, "--type", "a.b_v1", "--type", "im.message.receive_v1", "--count", "3")
    assert result.exit_code == 0
    assert [e.envelope.type for e in receiver.events] == ["a.b_v1", "im.message.receive_v1", "a.b_v1"]
    assert "a.b_v1 is not a type that we know" in result.stderr


def test_repeat_sends_the_same_event_again(receiver: Receiver) -> None:
    result = send(receiver.port, "--type", "corehr.department.updated_v2", "--repeat", "2", "--count", "2")
    assert result.exit_code == 0
    first, second = receiver.events[:3], receiver.events[3:]
    for copies in (first, second):
        assert len(copies) == 3
        assert len({event.envelope.id for event in copies}) == 1
        assert len({event.envelope.created_ms for event in copies}) == 1
    assert first[0].envelope.id != second[0].envelope.id


def test_a_file(receiver: Receiver, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    push = sample("corehr.company.created_v2")
    push["event"] = {"company_id": "from the file"}
    file.write_text(json.dumps(push))
    assert send(receiver.port, "--file", str(file)).exit_code == 0
    file.write_text(json.dumps([{"company_id": "bare 1"}, {"company_id": "bare 2"}]))
    assert send(receiver.port, "--file", str(file), "--type", "corehr.company.updated_v2").exit_code == 0
    assert [event.envelope.subject for event in receiver.events] == ["from the file", "bare 1", "bare 2"]
    assert receiver.events[0].envelope.id != push["header"]["event_id"]


@pytest.mark.parametrize("type_", ["", " "])
def test_an_empty_type(type_: str) -> None:
    result = send(1, "--type", "a.b_v1", "--type", type_)
    assert result.exit_code == 2
    assert "--type is empty" in result.output


@pytest.mark.parametrize(
    "text",
    ['{"company_id": "bare"}', '{"header": {"event_type": ""}, "event": {"type": "x"}}', '{"event": {}}', "[{}]"],
)
def test_a_bare_event_needs_its_type(text: str, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(text)
    result = send(1, "--file", str(file))
    assert result.exit_code == 2
    assert "holds no push" in result.output
    assert "--type" in result.output


def test_a_push_of_schema_1_from_a_file(receiver: Receiver, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(sample("leave_approval")))
    result = send(receiver.port, "--file", str(file))
    assert result.exit_code == 0, result.output
    assert [event.envelope.type for event in receiver.events] == ["leave_approval"]


@pytest.mark.parametrize("args", [[], ["--count", "30"], ["--challenge"]])
def test_other_keys_than_the_routers_are_hinted_at_once(receiver: Receiver, args: list[str]) -> None:
    receiver.keyring = Keyring(["another"], ["another"])
    result = send(receiver.port, *args)
    assert result.exit_code == 1
    assert result.stderr.count("401: the router has other keys") == 1


@pytest.mark.parametrize("text", ["", "{", "3", "[]", "[3]"])
def test_a_file_that_is_none(text: str, tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(text)
    result = send(1, "--file", str(file))
    assert result.exit_code == 2
    assert "event.json" in result.output


def test_a_challenge(receiver: Receiver) -> None:
    result = send(receiver.port, "--challenge")
    assert result.exit_code == 0, result.output
    assert isinstance(receiver.got[0][1], Challenge)
    assert "came back" in result.stdout
    receiver.keyring = Keyring([KEY], ["another"])
    refused = send(receiver.port, "--challenge")
    assert refused.exit_code == 1
    assert " 401 " in refused.stdout
    assert "did not come back" in refused.stdout


def test_many_have_a_progress_bar_and_a_summary(receiver: Receiver) -> None:
    result = send(receiver.port, "--count", "200", "--concurrency", "8")
    assert result.exit_code == 0
    assert len({event.envelope.id for event in receiver.events}) == 200
    (summary,) = result.stdout.splitlines()
    assert summary.startswith("200 pushes in ")
    assert "200: 200." in summary
    assert "p99" in summary
    assert "Pushing" in result.stderr


def test_rate(receiver: Receiver) -> None:
    begun = time.monotonic()
    assert send(receiver.port, "--count", "76", "--rate", "50", "--concurrency", "4").exit_code == 0
    assert len(receiver.events) == 76
    assert time.monotonic() - begun >= 1.5


@pytest.mark.parametrize("count", ["2", "30"])
def test_any_other_answer_is_a_failure(receiver: Receiver, count: str) -> None:
    receiver.status = 503
    result = send(receiver.port, "--count", count)
    assert result.exit_code == 1
    assert "503" in result.stdout


def test_another_address(receiver: Receiver) -> None:
    assert send(1, "--url", f"http://127.0.0.1:{receiver.port}/elsewhere").exit_code == 0
    assert receiver.got[0][0] == "/elsewhere"
    result = send(1, "--url", "127.0.0.1:8080")
    assert result.exit_code == 2
    assert "http://" in result.output


@pytest.mark.parametrize("args", [[], ["--count", "1000"], ["--challenge"]])
def test_nobody_listens(args: list[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        result = send(port, *args)
    assert result.exit_code == 1
    why = "it can't be reached (connection refused)"
    assert f"nobody answers at http://127.0.0.1:{port}/webhook/event: {why}\n" in result.output
    assert "feishu-event-router run" in result.output


def test_wrong_settings() -> None:
    assert send(1, FER_APP__ENCRYPT_KY="x").exit_code == 2


def test_no_secret_is_shown(receiver: Receiver) -> None:
    receiver.keyring = Keyring(["another"], [])
    result = send(receiver.port)
    assert result.exit_code == 1
    assert KEY not in result.output
    assert TOKEN not in result.output


def test_an_app_without_a_path_cannot_be_pushed_at() -> None:
    long = {"FER_APP__MODE": "long_connection", "FER_APP__APP_ID": "cli_1", "FER_APP__APP_SECRET": KEY}
    result = send(1, **long)
    assert result.exit_code == 2
    assert "come over long connections" in result.output
    assert KEY not in result.output
