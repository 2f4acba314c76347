"""The appender in a process of its own, also under strace."""

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


def command(directory: Path, first: int, number: int | None = None) -> list[str]:
    count = [] if number is None else [str(number)]
    return [sys.executable, "-m", "tests.journal.appender", str(directory), str(first), *count]


def start(directory: Path, first: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command(directory, first), cwd=ROOT, stdout=subprocess.PIPE)


@dataclass
class Trace:
    """What a process did, call by call."""

    returncode: int
    output: str
    calls: list[str]

    def durable(self) -> list[int]:
        return [int(line) for line in self.output.splitlines() if line.isdecimal()]


def traced(directory: Path, log: Path, number: int, *, inject: Sequence[str] = ()) -> Trace:
    """Run the appender to its end, or its failure, under strace."""
    strace = shutil.which("strace")
    assert strace is not None, "strace is missing: apt-get install strace"
    wanted = "trace=fdatasync,fsync,write,pwrite64,openat,unlink,ftruncate"
    arguments = [strace, "-f", "-e", "signal=none", "-e", wanted, *[f"--inject={x}" for x in inject], "-o", str(log)]
    done = subprocess.run(
        [*arguments, *command(directory, 1, number)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    calls = [re.sub(r"^\d+ +", "", line) for line in log.read_text("utf-8", "replace").splitlines()]
    assert any("fdatasync(" in call for call in calls), "strace saw nothing: it may not trace here (ptrace forbidden?)"
    return Trace(done.returncode, done.stdout, calls)
