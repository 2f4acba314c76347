"""Workers that die are noticed at once; those told to end do, or are left behind by name."""

import asyncio
import io
import json

import pytest

from router.lifecycle.supervisor import Supervisor, WorkerFailedError
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger

PATIENCE = 30.0


class Watched:
    def __init__(self) -> None:
        self.log = io.StringIO()
        self.supervisor = Supervisor(Telemetry(make_logger("info", "json", self.log)))

    @property
    def lines(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


async def fail(error: Exception) -> None:
    raise error


async def forever() -> None:
    await asyncio.Event().wait()


async def test_a_stop_ends_the_watch_and_cancel_ends_the_workers() -> None:
    watched, stop, ended = Watched(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            await forever()
        finally:
            ended.set()

    watched.supervisor.run("lane a", work())
    asyncio.get_running_loop().call_soon(stop.set)
    await asyncio.wait_for(watched.supervisor.watch(stop), PATIENCE)
    watched.supervisor.check()
    assert not ended.is_set()
    await watched.supervisor.cancel()
    await watched.supervisor.cancel()
    assert ended.is_set()
    assert watched.lines == []


async def test_what_was_told_before_is_not_told_again_and_ends_the_watch_all_the_same() -> None:
    log = io.StringIO()
    supervisor = Supervisor(Telemetry(make_logger("info", "json", log)), told=LookupError)
    supervisor.run("lane a", fail(KeyError("broken")))
    with pytest.raises(WorkerFailedError, match="lane a ended"):
        await asyncio.wait_for(supervisor.watch(asyncio.Event()), PATIENCE)
    await supervisor.cancel()
    assert log.getvalue() == ""


async def test_a_worker_that_dies_ends_the_watch_and_is_named() -> None:
    watched = Watched()
    watched.supervisor.run("lane a", forever())
    watched.supervisor.run("lane b", fail(ValueError("broken")))
    watched.supervisor.run("lane c", fail(ValueError("broken too")))
    with pytest.raises(WorkerFailedError, match="lane b ended: broken") as raised:
        await asyncio.wait_for(watched.supervisor.watch(asyncio.Event()), PATIENCE)
    assert raised.value.worker == "lane b"
    assert [line["worker"] for line in watched.lines] == ["lane b", "lane c"]
    assert "Traceback" in watched.lines[0]["exception"]
    await watched.supervisor.cancel()


async def test_a_worker_that_just_returns_has_failed_too() -> None:
    watched = Watched()
    watched.supervisor.run("journal", asyncio.sleep(0))
    with pytest.raises(WorkerFailedError, match="journal ended: without a reason"):
        await asyncio.wait_for(watched.supervisor.watch(asyncio.Event()), PATIENCE)


async def test_one_that_dies_after_the_watch_is_not_forgotten() -> None:
    watched, stop, go = Watched(), asyncio.Event(), asyncio.Event()
    stop.set()

    async def later() -> None:
        await go.wait()
        raise OSError("disk")

    watched.supervisor.run("journal", later())
    await watched.supervisor.watch(stop)
    go.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(WorkerFailedError, match="disk"):
        watched.supervisor.check()
    await watched.supervisor.cancel()


async def test_a_worker_that_does_not_let_itself_be_cancelled_holds_up_nothing() -> None:
    watched, free = Watched(), asyncio.Event()

    async def stubborn() -> None:
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    watched.supervisor.run("lane a", stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        await watched.supervisor.cancel(0.05)
    assert [(line["event"], line["part"]) for line in watched.lines] == [("cleanup_failed", "lane a")]
    free.set()
    await asyncio.sleep(0)


async def test_a_worker_that_somebody_else_cancels_is_a_dead_worker() -> None:
    watched, tasks = Watched(), asyncio.all_tasks()
    watched.supervisor.run("lane a", forever())
    (worker,) = asyncio.all_tasks() - tasks
    asyncio.get_running_loop().call_soon(worker.cancel)
    with pytest.raises(WorkerFailedError, match="lane a ended: it was cancelled"):
        await asyncio.wait_for(watched.supervisor.watch(asyncio.Event()), PATIENCE)
