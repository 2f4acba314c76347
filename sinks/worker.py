"""Blocking calls, one after another, in a thread that never holds up the end of the process."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple[Callable[[], Any], "Future[Any]"]


class Worker:
    """One daemon thread, started with the first call.

    A daemon, because a write to a blocked pipe or a dead network disk can't be interrupted, and the process must end
    all the same.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._last: Future[Any] | None = None

    def submit(self, call: Callable[[], T]) -> "Future[T]":
        """Queue the call behind all earlier ones."""
        future: Future[T] = Future()
        self._last = future
        self._jobs.put((call, future))
        if self._thread is None:
            self._thread = threading.Thread(target=_work, args=(self._jobs,), name=self._name, daemon=True)
            self._thread.start()
        return future

    async def run(self, call: Callable[[], T]) -> T:
        """Call it in the thread and wait. Cancelling ends the wait, not the call; the next run() waits for that first.

        So at most one call is under way, however often its callers give up.
        """
        while not self.idle:
            await self._settled()
        future = asyncio.wrap_future(self.submit(call))
        future.add_done_callback(_retrieve)
        return await asyncio.shield(future)

    @property
    def idle(self) -> bool:
        """Nothing is queued or under way."""
        return self._last is None or self._last.done()

    async def stop(self, seconds: float) -> bool:
        """Let the calls end, that long at most. False when one hangs: then it is left to itself, and later ones wait."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.idle:
                    await self._settled()
        if self.idle:
            self.end()
        return self.idle

    def end(self) -> None:
        """End the thread behind all calls so far. A later call starts another."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread = None
            self._jobs = SimpleQueue()

    async def _settled(self) -> None:
        if self._last is not None:
            await asyncio.wait([asyncio.wrap_future(self._last)])


def _work(jobs: "SimpleQueue[_Job | None]") -> None:
    while (job := jobs.get()) is not None:
        call, future = job
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - it goes to whoever waits
            future.set_exception(error)
        else:
            future.set_result(result)
        del job, call, future


def _retrieve(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled():
        future.exception()
