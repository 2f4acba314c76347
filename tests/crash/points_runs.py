"""Runs of the child: to its end, or to its death."""

import asyncio
import contextlib
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
KINDS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "fallocate", "unlink", "write", "fcntl", "munmap")
"""The calls at which a commit, a checkpoint, an opening and a closing can be cut off."""


@dataclass(frozen=True)
class Part:
    """Bursts `first` to before `last` of the story of a seed."""

    seed: int
    first: int
    last: int

    def command(self, directory: Path) -> list[str]:
        numbers = map(str, (self.seed, self.first, self.last))
        return [sys.executable, "-m", "tests.crash.points_child", str(directory), *numbers]


@dataclass(frozen=True)
class Ended:
    returncode: int
    lines: list[str]

    @property
    def killed(self) -> bool:
        return self.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)


def strace() -> str:
    found = shutil.which("strace")
    assert found, "this test needs strace: apt-get install strace"
    return found


def run(part: Part, directory: Path, prefix: Sequence[str] = ()) -> Ended:
    """Until it ends; complains when it fails by itself."""
    done = subprocess.run(
        [*prefix, *part.command(directory)], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    ended = Ended(done.returncode, _lines(done.stdout))
    assert ended.killed or done.returncode == 0, f"the child ended with {done.returncode}: {done.stderr[-2000:]}"
    return ended


def run_killed_at(part: Part, directory: Path, kind: str, number: int) -> Ended:
    """Killed as a thread of it enters its `number`-th call of that kind, if it comes to that."""
    inject = ["-f", "-o", "/dev/null", "-e", f"trace={kind}", "-e", f"inject={kind}:signal=KILL:when={number}"]
    return run(part, directory, [strace(), *inject])


def calls(part: Part, directory: Path) -> dict[str, int]:
    """How many calls of each kind the thread makes that makes the most of them."""
    log = directory.with_suffix(".calls")
    run(part, directory, [strace(), "-f", "-e", "signal=none", "-e", f"trace={','.join(KINDS)}", "-o", str(log)])
    begun = re.findall(r"^(\d+) +(\w+)\(", log.read_text("utf-8", "replace"), re.MULTILINE)
    assert begun, "strace saw nothing: it may not trace here (ptrace forbidden?)"
    most: dict[str, int] = {}
    for (_, kind), count in Counter(begun).items():
        most[kind] = max(most.get(kind, 0), count)
    return most


async def run_killed_after(part: Part, directory: Path, lines: int, seconds: float) -> Ended:
    """Killed at some instant after it has said so many lines."""
    process = await asyncio.create_subprocess_exec(
        *part.command(directory), cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None
    said = b""
    try:
        async with asyncio.timeout(PATIENCE):
            while said.count(b"\n") < lines and (more := await process.stdout.read(4096)):
                said += more
            await asyncio.sleep(seconds)  # some instant is what is wanted
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    async with asyncio.timeout(PATIENCE):
        said += await process.stdout.read()
        ended = Ended(await process.wait(), _lines(said.decode()))
    assert ended.killed or ended.returncode == 0, f"the child ended with {ended.returncode} by itself"
    return ended


def _lines(text: str) -> list[str]:
    return text.split("\n")[:-1]
