import asyncio
import subprocess
import sys
import threading

import pytest

from sinks.worker import Worker

DEADLINE = 10.0


async def test_calls_run_in_one_other_thread_and_give_their_result() -> None:
    worker = Worker("w")
    threads = {await worker.run(threading.current_thread) for _ in range(3)}
    assert len(threads) == 1
    assert threads != {threading.main_thread()}
    assert await worker.stop(1)
    await asyncio.to_thread(threads.pop().join, DEADLINE)


async def test_errors_reach_the_caller() -> None:
    worker = Worker("w")
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 // 0)
    assert await worker.run(lambda: 1) == 1
    assert await worker.stop(1)


async def test_a_call_given_up_is_waited_for_by_the_next() -> None:
    worker, free, done = Worker("w"), threading.Event(), list[int]()

    def slow() -> None:
        assert free.wait(DEADLINE)
        done.append(1)

    first = asyncio.ensure_future(worker.run(slow))
    await asyncio.sleep(0)
    first.cancel()
    given_up = [asyncio.ensure_future(worker.run(lambda: done.append(2))) for _ in range(3)]
    await asyncio.sleep(0)
    for task in given_up:
        task.cancel()
    last = asyncio.ensure_future(worker.run(lambda: done.append(3)))
    await asyncio.sleep(0)
    assert not worker.idle
    free.set()
    await last
    assert done == [1, 3]
    assert await worker.stop(1)


async def test_a_call_that_hangs_does_not_hold_up_the_stop() -> None:
    worker, free = Worker("w"), threading.Event()
    hanging = worker.submit(lambda: free.wait(DEADLINE))
    assert not await worker.stop(0.01)
    free.set()
    assert await asyncio.wrap_future(hanging)
    assert await worker.stop(1)
    assert await worker.stop(1)
    assert await worker.run(lambda: 1) == 1
    assert await worker.stop(1)


def test_a_call_that_hangs_does_not_hold_up_the_end_of_the_process() -> None:
    code = (
        "import threading; from sinks.worker import Worker\n"
        "started = threading.Event()\n"
        "Worker('w').submit(lambda: (started.set(), threading.Event().wait()))\n"
        "started.wait()"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=DEADLINE, check=False).returncode == 0
