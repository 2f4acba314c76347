"""Does to the router and its surroundings what the plan says, when it says so."""

import asyncio
import struct
import subprocess
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.broker.cluster import Cluster
from tests.crash.oracle.disk import SmallDisk
from tests.crash.oracle.facts import Span
from tests.crash.oracle.plan import Fault
from tests.crash.oracle.receiver import MoodyReceiver
from tests.crash.oracle.supervised import Supervised
from tests.flow.program import PROGRAM, Program

COMMAND_SECONDS = 60.0


class Faults:
    """`run` does all faults, each at its time, side by side. spans: how long each really lasted."""

    def __init__(
        self, cluster: Cluster, router: Supervised, receiver: MoodyReceiver, disk: SmallDisk | None, clock: Path
    ) -> None:
        self.spans: list[Span] = []
        self._cluster = cluster
        self._router = router
        self._receiver = receiver
        self._disk = disk
        self._clock = clock
        self._nodes: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._receivers = asyncio.Lock()
        self._disks = asyncio.Lock()
        self._pauses: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def run(self, faults: tuple[Fault, ...]) -> None:
        """Return when all are over."""
        begun = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for fault in faults:
                group.create_task(self._at(begun + fault.at, fault))

    async def _at(self, when: float, fault: Fault) -> None:
        await asyncio.sleep(when - time.monotonic())
        doing: dict[str, Callable[[Fault], Awaitable[None]]] = {
            "broker_kill": self._broker_kill,
            "broker_pause": self._broker_pause,
            "receiver": self._receiver_moody,
            "disk": self._disk_full,
            "pause": self._paused,
            "letters": self._letters,
            "history": self._history,
        }
        if fault.kind in doing:
            await doing[fault.kind](fault)
        elif fault.kind == "clock":
            step(self._clock, fault.number)
        elif fault.kind == "kill":
            self._router.kill()
        elif fault.kind == "term":
            self._router.terminate()

    async def _broker_kill(self, fault: Fault) -> None:
        async with self._nodes[fault.number]:
            begun = time.time()
            await asyncio.to_thread(self._cluster.kill, fault.number)
            await asyncio.sleep(fault.seconds)
            await asyncio.to_thread(self._cluster.start, fault.number)
            self.spans.append(Span(begun, time.time(), "broker"))

    async def _broker_pause(self, fault: Fault) -> None:
        async with self._nodes[fault.number]:
            begun = time.time()
            self._cluster.pause(fault.number)
            await asyncio.sleep(fault.seconds)
            self._cluster.resume(fault.number)
            self.spans.append(Span(begun, time.time(), "broker"))

    async def _receiver_moody(self, fault: Fault) -> None:
        async with self._receivers:
            begun = time.time()
            if fault.what == "down":
                await self._receiver.server.stop()
            else:
                self._receiver.mood = fault
            await asyncio.sleep(fault.seconds)
            if fault.what == "down":
                await self._receiver.server.start()
            self._receiver.mood = None
            self.spans.append(Span(begun, time.time(), fault.what))

    async def _disk_full(self, fault: Fault) -> None:
        assert self._disk is not None
        async with self._disks:
            begun = time.time()
            self._disk.fill(fault.number)
            await asyncio.sleep(fault.seconds)
            self._disk.free()
            self.spans.append(Span(begun, time.time(), "disk"))

    async def _paused(self, fault: Fault) -> None:
        async with self._pauses[fault.what]:
            begun = time.time()
            await self._command("sinks", "pause", fault.what)
            await asyncio.sleep(fault.seconds)
            await self._command("sinks", "resume", fault.what)
            self.spans.append(Span(begun, time.time(), f"pause {fault.what}"))

    async def _letters(self, fault: Fault) -> None:
        await self._command("dead-letters", "replay", "--sink", fault.what, "--yes", tries=3)

    async def _history(self, fault: Fault) -> None:
        await self._command("replay", "--sink", fault.what, "--since", "earliest", "--rate", "1000", "--yes", tries=3)

    async def _command(self, *words: str, tries: int = 1000) -> None:
        """Run one of the router's commands until it succeeds, so often at most: there may be no router to take it."""
        program = self._router.program
        async with asyncio.timeout(COMMAND_SECONDS):
            for _ in range(tries):
                if await asyncio.to_thread(_run, [PROGRAM, *words], program) == 0:
                    return
                await asyncio.sleep(0.5)


def _run(command: list[str], program: Program) -> int:
    with (program.folder / "commands.log").open("ab") as log:
        return subprocess.run(
            command, env=program.environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False, timeout=30
        ).returncode


def step(clock: Path, offset: float) -> None:
    """Set the router's wall clock so many seconds off."""
    with clock.open("r+b") as file:
        file.write(struct.pack("d", offset))
