"""The router as a program: started, killed, stopped and asked, as its operators do it."""

import math
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.doubles.ports import free_ports

PROGRAM = str(Path(sys.executable).with_name("feishu-event-router"))
START_SECONDS = 30.0


def eventually(fact: Callable[[], bool], seconds: float, what: Callable[[], str]) -> None:
    """Wait for a fact that nothing announces; fails with `what` after the deadline."""
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, what()
        time.sleep(0.02)


class Program:
    """One router process after another over the same data directory. Its output is kept in `log`."""

    def __init__(self, folder: Path, environ: Mapping[str, str], prefix: Sequence[str] = ()) -> None:
        self.folder = folder
        self.log = folder / "router.log"
        self.port, self.admin = free_ports(2)
        self.environ = {
            "PATH": os.environ["PATH"],
            "FER_LISTEN": f"127.0.0.1:{self.port}",
            "FER_ADMIN__LISTEN": f"127.0.0.1:{self.admin}",
            "FER_DATA_DIR": str(folder / "data"),
            "FER_DRAIN__ACCEPT_SECONDS": "0",
            **environ,
        }
        self.prefix = prefix
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/webhook/event"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def launch(self) -> "subprocess.Popen[bytes]":
        """Start it, under `prefix` if there is one. Doesn't wait for it."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.prefix, PROGRAM, "run"], env=self.environ, stdout=log, stderr=log, cwd=self.folder
            )
        return self._process

    def start(self) -> Self:
        """Start it and wait until it is ready."""
        self.launch()
        eventually(self.ready, START_SECONDS, lambda: f"the router is not ready:\n{self.tail()}")
        return self

    def ready(self) -> bool:
        """Whether /readyz says so. Fails when the process has ended."""
        assert self._process is not None
        assert self._process.poll() is None, f"the router ended with {self._process.returncode}:\n{self.tail()}"
        return self.get("/readyz")[0] == 200

    def get(self, path: str) -> tuple[int, str]:
        """A page of the admin port; status 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels, 0 when there is none; not a number when nobody answers."""
        status, page = self.get("/metrics")
        total = 0.0 if status == 200 else math.nan
        for found, inner, value in re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", page, re.MULTILINE):
            if found == name and all(f'{key}="{wanted}"' in inner for key, wanted in labels.items()):
                total += float(value)
        return total

    def settled(self) -> bool:
        """Whether every sink has ended everything, what is parked included. Fails when the process has ended."""
        return self.ready() and self.drained() and self.ready()

    def drained(self) -> bool:
        """The same of a router that may be unready."""
        return self.metric("fer_lag_events") + self.metric("fer_parked") == 0

    def send(self, *args: str) -> subprocess.CompletedProcess[str]:
        """The `send` command with the router's own settings."""
        return subprocess.run(
            [PROGRAM, "send", *args], check=False, env=self.environ, capture_output=True, text=True, timeout=120
        )

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self, seconds: float = 30.0) -> int:
        """SIGTERM; the exit status."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(seconds)

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
