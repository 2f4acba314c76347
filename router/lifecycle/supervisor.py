"""Workers: long-running parts that may only end when they are told to."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from router.telemetry import Telemetry, facts


class WorkerFailedError(Exception):
    """A worker ended by itself; the process must end, non-zero, and start afresh."""

    def __init__(self, worker: str, cause: BaseException | None) -> None:
        super().__init__(f"{worker} ended: {cause or 'without a reason'}")
        self.worker = worker


class Supervisor:
    """Runs workers, and notices when one dies. told: errors that whoever raised them has told of; any other is a bug."""

    def __init__(self, telemetry: Telemetry, told: type[Exception] | tuple[type[Exception], ...] = ()) -> None:
        self._telemetry = telemetry
        self._told = told
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ending = False
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def run(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        """Start a worker."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def watch(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set. Raises WorkerFailedError as soon as a worker ends by itself."""
        stopping = asyncio.create_task(stop.wait())
        waits: set[asyncio.Future[Any]] = {stopping, self._failed}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        self._ending = True  # whoever is cancelled from now on is so on purpose
        self.check()

    def check(self) -> None:
        """Raises WorkerFailedError when a worker has ended by itself."""
        if self._failed.done():
            self._failed.result()

    async def cancel(self, seconds: float = 10.0) -> None:
        """End all workers and wait for them, `seconds` at most: a plug-in may not let itself be cancelled. Idempotent."""
        self._ending = True
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        _, late = await asyncio.wait(tasks, timeout=seconds) if tasks else (None, ())
        for task in late:
            self._telemetry.emit(facts.CLEANUP_FAILED, part=task.get_name(), error=f"not ended after {seconds:g} s")
        if not self._failed.done():
            self._failed.cancel()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() and self._ending:
            return
        error = RuntimeError("it was cancelled, by nobody who may") if task.cancelled() else task.exception()
        if not isinstance(error, self._told):
            self._telemetry.emit(facts.CRASHED, worker=task.get_name(), error=repr(error), exc_info=error)
        if not self._failed.done():
            self._failed.set_exception(WorkerFailedError(task.get_name(), error))
            self._failed.exception()  # seen: watch() may be gone already
