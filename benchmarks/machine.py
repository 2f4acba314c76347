"""Cores and processes: who runs where, and what it takes. Reads Linux' /proc."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
TICKS = os.sysconf("SC_CLK_TCK")


class Cores:
    """One core for the server, another for broker and load; the same for both where there is only one."""

    def __init__(self) -> None:
        self.all = sorted(os.sched_getaffinity(0))
        self.server, self.load = self.all[0], self.all[1 % len(self.all)]

    @property
    def shared(self) -> bool:
        """Whether the server has to share its core, which makes every figure a lower bound."""
        return self.server == self.load

    @contextmanager
    def on(self, *cores: int) -> Iterator[None]:
        """What is started within runs on these cores for life; this process only meanwhile."""
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores)
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """CPU a process and its threads have used, in user mode and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mb(pid: int, *, peak: bool) -> float:
    """Resident memory of a process, now or at its peak."""
    name = "VmHWM:" if peak else "VmRSS:"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise LookupError(f"process {pid} has no {name}")


@contextmanager
def process(
    command: Sequence[str], environ: Mapping[str, str], log: Path, *, talks: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """A child that ends with the block: asked first, then killed. talks: its standard input and output are ours."""
    with ExitStack() as stack:
        output = stack.enter_context(log.open("a"))
        child = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
            stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
            stdout=subprocess.PIPE if talks else output,
            stderr=output,
            text=True,
            start_new_session=True,  # Ctrl-C is for the benchmark, which ends its children
        )
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            for pipe in filter(None, (child.stdin, child.stdout)):
                pipe.close()
