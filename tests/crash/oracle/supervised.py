"""The router as a platform runs it: started again whenever it ends, whoever ended it."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from tests.crash.oracle.facts import Death, Span
from tests.crash.oracle.plan import Fault
from tests.flow.program import Program

LOOK_SECONDS = 0.05
START_SECONDS = 60.0
STOP_SECONDS = 60.0
HOPELESS = 5
"""So many processes ended by themselves that it makes no sense to go on."""


class Supervised:
    """Keeps a router running. deaths: how each process ended; down: while none was ready; peak_rss: bytes."""

    def __init__(self, folder: Path, environ: Mapping[str, str], syncs: Sequence[Fault] = ()) -> None:
        self.program = Program(folder, environ)
        self.deaths: list[Death] = []
        self.down: list[Span] = []
        self.troubles: list[str] = []
        self.peak_rss = 0
        self._syncs = list(syncs)
        self._process: subprocess.Popen[bytes] | None = None
        self._ended_by = ""
        self._launched = self._away_since = time.time()
        self._ready = asyncio.Event()
        self._injected: Fault | None = None
        self._log_read = 0
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start, and wait until it is ready."""
        self._launch()
        self._watcher = asyncio.create_task(self._watch())
        await self.ready()

    async def ready(self) -> None:
        """Return once the present process is ready to take pushes. Raises TimeoutError, and RuntimeError when none starts."""
        async with asyncio.timeout(START_SECONDS):
            while not self._ready.is_set():
                await asyncio.sleep(LOOK_SECONDS)
                if len(self.troubles) > HOPELESS:
                    raise RuntimeError(self.troubles[-1])

    def kill(self) -> None:
        """kill -9, whatever it is doing."""
        self._end("kill", signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM: it drains; ends at once when it drains already, or has not come so far as to know how."""
        self._end("drained" if self._ready.is_set() and not self._ended_by else "kill", signal.SIGTERM)

    def _end(self, how: str, number: signal.Signals) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._ended_by = how
            self._process.send_signal(number)

    async def stop(self) -> None:
        """The last SIGTERM."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        assert self._process is not None
        self.terminate()
        await asyncio.to_thread(self._process.wait, STOP_SECONDS)
        self._buried(self._process)

    def abandon(self) -> None:
        """Leave no process behind, however the run went."""
        if self._watcher is not None:
            self._watcher.cancel()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def calm(self) -> None:
        """No failing system calls in processes started from now on."""
        self._syncs.clear()

    def _launch(self) -> None:
        self._ended_by = ""
        self._launched = time.time()
        if self._ready.is_set():
            self._away_since = self._launched
        self._ready.clear()
        self._injected = self._syncs[0] if self._syncs else None
        self.program.prefix = _injecting(self._injected) if self._injected else ()
        self._process = self.program.launch()

    async def _watch(self) -> None:
        """Notice when it is ready and when it ends; then start it again."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            assert self._process is not None
            if self._process.poll() is not None:
                self._buried(self._process)
                self._launch()
            elif not self._ready.is_set():
                await asyncio.to_thread(self._look)
            self._measure(self._process.pid)

    def _look(self) -> None:
        if self.program.get("/readyz")[0] == 200:
            self.down.append(Span(self._away_since, time.time(), "away"))
            self._ready.set()

    def _measure(self, pid: int) -> None:
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return
        self.peak_rss = max(self.peak_rss, pages * os.sysconf("SC_PAGE_SIZE"))

    def _buried(self, process: "subprocess.Popen[bytes]") -> None:
        code = process.returncode
        how = self._ended_by or "failed"
        self.deaths.append(Death(time.time(), how, code, self._laggards(), self._launched, self._injected))
        if self._injected:
            if how == "failed" and self._syncs:
                self._syncs.pop(0)
        elif how == "failed":
            self.troubles.append(f"the router ended by itself with status {code}: {self._last_words()}")
        elif how == "drained" and code != 0:
            self.troubles.append(f"SIGTERM ended the router with status {code}, not 0: {self._last_words()}")

    def _last_words(self) -> str:
        return " ".join(self.program.tail().splitlines()[-3:])[-500:]

    def _laggards(self) -> frozenset[str]:
        """Sinks that the log of this process names as busy at the drain's deadline."""
        text = self.program.log.read_bytes()[self._log_read :] if self.program.log.exists() else b""
        self._log_read += len(text)
        lines = [line for line in text.splitlines() if b'"drain_laggard"' in line]
        return frozenset(str(orjson.loads(line)["sink"]) for line in lines)


def _injecting(fault: Fault) -> Sequence[str]:
    strace = shutil.which("strace")
    assert strace, "the oracle needs strace: apt-get install strace"
    call = fault.what.partition(":")[0]
    return (
        *(strace, "-D", "-f", "-qq", "--seccomp-bpf", "-o", os.devnull, "-e", f"trace={call}", "-e", "signal=none"),
        *("-e", f"inject={fault.what}:when={fault.number}"),
    )
