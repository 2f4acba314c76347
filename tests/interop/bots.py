"""The programs of examples/sdk, running, and what they wrote down."""

import functools
import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Self

from tests.doubles.making import key_of
from tests.doubles.waiting import whole_lines
from tests.interop.build import built
from tests.interop.lines import Line, id_of

WEBHOOK, LONG_CONNECTION = "webhook", "long-connection"
_program = functools.cache(built)


class Bot:
    """One program. For each event it writes a line to the file `events`; what else it says is in `log`. environ: more for it.

    It takes no event, but answers that it could not, while the folder of that file isn't there: `refuse()`, `accept()`.
    """

    def __init__(self, sdk: str, mode: str, folder: Path, port: int = 0) -> None:
        self.sdk, self.mode, self.port = sdk, mode, port
        self.name = f"{sdk}_{mode.partition('-')[0]}"
        self.log = folder / f"{self.name}.log"
        self.events = folder / self.name / "events.jsonl"
        self.key, self.token = f"key of {self.name}", f"token-of-{self.name}"
        # Node's SDK connects with no other form of id.
        self.app_id, self.app_secret = f"cli_{key_of(self.name):0>16}", f"app-secret-of-{self.name}"
        self.domain = ""
        self.environ: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self.accept()

    def start(self) -> Self:
        """Start it. Nothing waits until it is ready."""
        program = _program(self.sdk)
        road = (
            {"PORT": str(self.port)}
            if self.mode == WEBHOOK
            else {"DOMAIN": self.domain, "APP_ID": self.app_id, "APP_SECRET": self.app_secret}
        )
        mine = {"ENCRYPT_KEY": self.key, "VERIFICATION_TOKEN": self.token, **road}  # a program has these on either road
        common = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "EVENTS": str(self.events)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*program.command, self.mode],
                env=common | program.environ | mine | self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self

    def kill(self) -> None:
        """End it, as a crash would. Idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def runs(self) -> bool:
        """Whether it does, still."""
        return self._process is not None and self._process.poll() is None

    def listens(self) -> bool:
        """Whether a webhook's port takes connections. Fails when the program has ended."""
        assert self.runs(), self.tail()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def refuse(self) -> None:
        """Let its handlers fail from now on. What it wrote down before stays."""
        self.events.parent.rename(self.events.parent.with_suffix(".away"))

    def accept(self) -> None:
        """Let its handlers succeed."""
        away = self.events.parent.with_suffix(".away")
        if away.exists():
            away.rename(self.events.parent)
        else:
            self.events.parent.mkdir(parents=True)

    def lines(self) -> list[Line]:
        """What it wrote down, in order."""
        if not self.events.is_file():
            return []
        return [json.loads(line) for line in whole_lines(self.events) if line]

    def ids(self) -> list[str]:
        """The ids of the events that it wrote down, in order, copies and all."""
        return [id_of(line) for line in self.lines()]

    def tail(self) -> str:
        """The last that it said."""
        said = self.log.read_text(errors="replace")[-1500:] if self.log.exists() else ""
        return f"{self.name}{'' if self.runs() else ' (ended)'}:\n{said}"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()
