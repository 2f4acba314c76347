"""The load generator of the long connection, a process of its own: it's Feishu, and the router connects to it.

Listens at $PORT, waits for a plan (`benchmarks.load.Plan` as JSON, a line on standard input), and then says what
`benchmarks.load` says. Events under way are what connections are there: that many, closed loop; or so many a second.
"""

import asyncio
import itertools
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import orjson
import uvloop

from benchmarks.load import PATIENCE_SECONDS, Plan, Result, cpu_seconds
from benchmarks.pool import TYPES, Pool, event_id
from router.simulator.account import State
from router.simulator.endpoint import App
from router.simulator.pushes import Push
from router.simulator.simulator import Simulator

APP_ID, APP_SECRET = "cli_9f5343c580712544", "benchmark-app-secret"
CONNECTIONS = 2
"""What the router opens by default."""


async def generate(plan: Plan, feishu: Simulator) -> Result:
    """Run the plan once everybody is connected."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await feishu.connected(CONNECTIONS)
    sent = itertools.count()
    running = asyncio.create_task(feishu.run(_pushes(plan, sent), rate=plan.rate, at_once=plan.connections))
    await asyncio.wait([running], timeout=plan.warm_seconds)
    warm = feishu.report()
    feishu.account.start_over()
    print("begin", flush=True)
    begin, used = time.perf_counter(), cpu_seconds()
    await asyncio.wait([running], timeout=plan.seconds)
    print("end", flush=True)
    report, seconds, spent = feishu.report(), time.perf_counter() - begin, cpu_seconds() - used
    exhausted = running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await feishu.quiet()
    result = Result(
        answered=sum(said.get("200", 0) for said in report.answers.values()),
        seconds=seconds,
        p50=report.p50_ms,
        p99=report.p99_ms,
        worst=report.max_ms,
        sent=next(sent),
        exhausted=exhausted,
    )
    result.cpu_us = spent / max(1, result.answered) * 1e6
    for each in (warm, feishu.report()):
        for said in each.answers.values():
            for answer, count in said.items():
                if answer != "200":
                    result.statuses[answer] = result.statuses.get(answer, 0) + count
    records = feishu.account.records.values()
    result.wrong = [int(each.id[:8], 16) for each in records if each.state is not State.ACCEPTED]
    return result


def _pushes(plan: Plan, sent: "itertools.count[int]") -> Iterator[Push]:
    bodies = Pool(Path(plan.file), plan.size, plan.count).open()
    for number in itertools.islice(sent, plan.count):
        at = number * plan.size
        yield Push(event_id(number), TYPES[number % len(TYPES)], bodies[at : at + plan.size])


async def main() -> None:
    feishu = Simulator([App(APP_ID, APP_SECRET)])
    await feishu.start("127.0.0.1", int(os.environ["PORT"]))
    line = await asyncio.to_thread(sys.stdin.readline)
    if line:
        result = await generate(Plan(**orjson.loads(line)), feishu)
        print(orjson.dumps(asdict(result)).decode(), flush=True)
    await feishu.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
