"""The load generator, a process of its own: sends prebuilt requests over keep-alive connections, times the answers.

`python -m benchmarks.load '{"port": …}'` writes three lines: `begin` when the timed run begins, `end` when it ends, and
its result as JSON when every request has its answer.
"""

import asyncio
import resource
import sys
import time
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import orjson
import uvloop

from benchmarks.pool import Pool

OK = b"HTTP/1.1 200"
PATIENCE_SECONDS = 10.0
TICK_SECONDS = 0.001


@dataclass(slots=True)
class Plan:
    """What to send. rate 0: closed loop, each connection sends when it has its answer; else so many a second, whatever
    the answers do."""

    port: int
    file: str
    size: int
    count: int
    connections: int = 64
    warm_seconds: float = 1.0
    seconds: float = 3.0
    rate: float = 0.0


@dataclass(slots=True)
class Result:
    """Times in milliseconds. sent: requests 0 … sent-1 went out; wrong: their numbers by status ("lost": no answer)."""

    sent: int = 0
    answered: int = 0
    seconds: float = 0.0
    cpu_us: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    worst: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)
    wrong: list[int] = field(default_factory=list)
    exhausted: bool = False


class Client(asyncio.Protocol):
    """One connection. An answer is counted when it is whole; all 200s of one server have the same length."""

    def __init__(self, generator: "Generator") -> None:
        self._generator = generator
        self._length = 0
        self._buffer = b""
        self.number = -1
        self.since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def send(self, number: int, request: bytes, since: float) -> None:
        self.number, self.since = number, since
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        if len(data) != self._length or not data.startswith(OK):
            length = whole(data)
            if not length or length > len(data):
                self._buffer = data
                return
            if data.startswith(OK):
                self._length = length
        self._buffer = b""
        self._generator.answered(self, data[9:12])

    def connection_lost(self, exc: BaseException | None) -> None:  # noqa: ARG002 - the loop's signature
        self._generator.lost(self)


def whole(data: bytes) -> int:
    """The length of the answer that begins there; 0 while its head isn't complete."""
    head, end, _ = data.partition(b"\r\n\r\n")
    if not end:
        return 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(head) + 4 + int(value)
    return len(head) + 4


class Generator:
    """Runs one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._requests = Pool(Path(plan.file), plan.size, plan.count).open()
        self._next = 0
        self._times = array("d")
        self._statuses: Counter[str] = Counter()
        self._wrong: list[int] = []
        self._waiting: set[Client] = set()
        self._idle: list[Client] = []
        self._due: list[float] = []
        self._free: Callable[[Client, float], None] = self._send_next
        self._sending = True
        self._timed = False
        self._quiet = asyncio.Event()
        self._exhausted = asyncio.Event()

    async def run(self) -> Result:
        loop = asyncio.get_running_loop()
        for _ in range(self._plan.connections):
            _, client = await loop.create_connection(lambda: Client(self), "127.0.0.1", self._plan.port)
            self._idle.append(client)
        pace = asyncio.create_task(self._pace()) if self._plan.rate else None
        if pace is None:
            clients, self._idle = self._idle, []
            for client in clients:
                self._send_next(client, time.perf_counter())
        else:
            self._free = self._send_due
        await self._pass(self._plan.warm_seconds)
        result = await self._timed_run()
        if pace is not None:
            pace.cancel()
        self._sending = False
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while self._waiting:
                    self._quiet.clear()
                    await self._quiet.wait()
        except TimeoutError:
            for client in list(self._waiting):
                self.lost(client)
        result.sent, result.statuses, result.wrong = self._next, dict(self._statuses), self._wrong
        return result

    async def _timed_run(self) -> Result:
        print("begin", flush=True)
        begin, used = time.perf_counter(), cpu_seconds()
        self._timed = True
        await self._pass(self._plan.seconds)
        self._timed = False
        seconds = time.perf_counter() - begin
        print("end", flush=True)
        times = sorted(self._times)
        count = len(times) or 1
        p50, p99, worst = (1000 * times[int(count * q)] if times else 0.0 for q in (0.5, 0.99, 1 - 1e-9))
        return Result(
            answered=len(times),
            seconds=seconds,
            cpu_us=(cpu_seconds() - used) / count * 1e6,
            p50=p50,
            p99=p99,
            worst=worst,
            exhausted=self._exhausted.is_set(),
        )

    async def _pass(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._exhausted.wait()
        except TimeoutError:
            pass

    def _send_next(self, client: Client, now: float) -> None:
        number = self._next
        if number >= self._plan.count:
            self._exhausted.set()
            return
        self._next = number + 1
        self._waiting.add(client)
        at = number * self._plan.size
        client.send(number, self._requests[at : at + self._plan.size], now)

    def _send_due(self, client: Client, now: float) -> None:  # noqa: ARG002 - as the other
        if self._due:
            self._send_next(client, self._due.pop(0))
        else:
            self._idle.append(client)

    async def _pace(self) -> None:
        """Timers are exact to a millisecond: what falls due meanwhile counts from the tick, what is later from its time."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        number = 0
        while True:
            await asyncio.sleep(max(0.0, begin + number / self._plan.rate - loop.time()))
            now, offset = time.perf_counter(), time.perf_counter() - loop.time()
            while (due := begin + number / self._plan.rate) <= loop.time():
                number += 1
                since = due + offset
                self._due.append(now if now - since < 2 * TICK_SECONDS else since)
            while self._due and self._idle:
                self._send_next(self._idle.pop(0), self._due.pop(0))

    def answered(self, client: Client, status: bytes) -> None:
        now = time.perf_counter()
        if status == b"200":
            if self._timed:
                self._times.append(now - client.since)
        else:
            self._statuses[status.decode("ascii", "replace")] += 1
            self._wrong.append(client.number)
        self._waiting.discard(client)
        if self._sending:
            self._free(client, now)
        elif not self._waiting:
            self._quiet.set()

    def lost(self, client: Client) -> None:
        if client in self._waiting:
            self._waiting.discard(client)
            self._statuses["lost"] += 1
            self._wrong.append(client.number)
        if not self._waiting:
            self._quiet.set()


def cpu_seconds() -> float:
    """What this process has used, in user mode and in the kernel."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    plan = Plan(**orjson.loads(sys.argv[1]))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(orjson.dumps(asdict(runner.run(Generator(plan).run()))).decode(), flush=True)


if __name__ == "__main__":
    main()
