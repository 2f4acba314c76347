"""A developer beside a router: both are programs, and either may end and come back."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from router.feishu.samples import seed_types
from tests.doubles.ports import free_ports
from tests.doubles.waiting import whole_lines
from tests.flow.program import PROGRAM, Program, eventually

PATIENCE = 60.0


def router(folder: Path) -> Program:
    (port,) = free_ports(1)
    sink = {"TYPE": "feishu_ws", "APP_ID": "cli_0123456789abcdef", "APP_SECRET": "0123456789abcdef"}
    environ = {f"FER_SINK__DEV__{name}": value for name, value in sink.items()}
    ways = {"FER_WS__LISTEN": f"127.0.0.1:{port}", "FER_WS__RECONNECT_INTERVAL_SECONDS": "1", "FER_SINKS": "dev"}
    return Program(folder, environ | ways)


class Listening:
    """`listen` with the router's settings, what it prints in a file."""

    def __init__(self, folder: Path, process: "subprocess.Popen[bytes]") -> None:
        self._folder = folder
        self.process = process

    def types(self) -> Sequence[str]:
        return [json.loads(line)["header"]["event_type"] for line in whole_lines(self._folder / "out")]

    def told(self, words: str) -> int:
        return (self._folder / "err").read_text().count(words)

    def shows(self, count: int) -> None:
        eventually(lambda: len(self.types()) >= count, PATIENCE, lambda: f"{self.types()}\n{self.said()}")

    def said(self) -> str:
        return (self._folder / "err").read_text()


@contextmanager
def listen(router: Program, *args: str) -> Iterator[Listening]:
    with (router.folder / "out").open("wb") as out, (router.folder / "err").open("wb") as err:
        process = subprocess.Popen([PROGRAM, "listen", *args], env=router.environ, stdout=out, stderr=err)
    try:
        yield Listening(router.folder, process)
    finally:
        process.kill()
        process.wait()


def test_what_came_before_and_after_a_restart_is_shown(tmp_path: Path) -> None:
    with router(tmp_path) as running:
        running.send()
        with listen(running, "--sink", "dev") as listening:
            listening.shows(5)
            eventually(running.settled, PATIENCE, running.tail)
            running.stop()
            eventually(lambda: listening.told("connection is lost") == 1, PATIENCE, listening.said)
            running.start()
            running.send("--type", "corehr.department.updated_v2")
            listening.shows(6)
            assert sorted(listening.types()[:5]) == sorted(seed_types())
            assert listening.types()[5:] == ["corehr.department.updated_v2"]
            listening.process.send_signal(2)
            assert listening.process.wait(PATIENCE) == 0
            assert listening.told("Connected to") == 2


def test_when_its_output_is_closed_the_event_in_hand_comes_again_and_nothing_has_failed(tmp_path: Path) -> None:
    with router(tmp_path) as running:
        reading, writing = os.pipe()
        os.close(reading)
        with subprocess.Popen([PROGRAM, "listen"], env=running.environ, stdout=writing) as process:
            os.close(writing)
            running.send("--type", "corehr.department.updated_v2")
            assert process.wait(PATIENCE) == 0
        with listen(running) as listening:
            listening.shows(1)
            eventually(running.settled, PATIENCE, running.tail)
        assert "code_500" not in running.log.read_text()
        assert running.metric("fer_retries_total") == 0
        assert running.metric("fer_dead_letters_total") == 0


def test_events_go_on_to_a_webhook_as_if_feishu_pushed(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "near").mkdir()
    key, token = tmp_path / "key", tmp_path / "token"
    key.write_text("the near one's key\n")
    token.write_text("the near one's token\n")
    keys = {"FER_APP__ENCRYPT_KEY_FILE": str(key), "FER_APP__VERIFICATION_TOKEN_FILE": str(token)}
    with router(tmp_path / "far") as far, Program(tmp_path / "near", keys) as near:
        options = ("--forward", near.url, "--encrypt-key-file", str(key), "--token-file", str(token), "--count", "5")
        with listen(far, *options) as listening:
            far.send()
            assert listening.process.wait(PATIENCE) == 0, listening.said()
        lines = (tmp_path / "far" / "out").read_text().splitlines()
        assert sum("  200  " in line for line in lines) == 5
        assert near.metric("fer_stored_total") == 5
