"""Carries a story out on a real journal, in a process of its own that is killed somewhere in it.

python -m tests.crash.points_child DIRECTORY SEED FIRST LAST

From burst FIRST to before LAST; the bursts before were carried out by an earlier process. None at all: open and close.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

from router.journal import store
from router.journal.contract import Verdict
from router.journal.limits import MIB, Limits
from router.journal.sqlite import SqliteJournal
from tests.crash.points_story import Append, Burst, Copy, Forget, Quarantine, Register, Step, draw, event, push
from tests.journal.books import make_journal

LIMITS = Limits(16 * MIB, 2 * MIB, 0, 2 * 86_400_000, disk_floor_bytes=0, ballast_bytes=64 << 10)
"""What is settled may go at once, so that retention is at work all the time."""
CHECKPOINT_PAGES = 4


async def tell(directory: Path, bursts: Sequence[Burst]) -> None:
    store.CHECKPOINT_PAGES = CHECKPOINT_PAGES
    journal = make_journal(directory, limits=LIMITS)
    await journal.open()
    taken: list[asyncio.Task[None]] = []
    for burst in bursts:
        taken += _take(journal, burst)
        if burst.waits:
            await asyncio.gather(*taken)
        if burst.reopens:
            await journal.close()
            journal = make_journal(directory, limits=LIMITS)
            await journal.open()
    await asyncio.gather(*taken)
    await journal.close()


def _take(journal: SqliteJournal, burst: Burst) -> list[asyncio.Task[None]]:
    _say("".join(f"+{burst.first + i}\n" for i in range(len(burst.steps))))
    return [
        asyncio.create_task(_heard(burst.first + i, _begin(journal, step), step)) for i, step in enumerate(burst.steps)
    ]


async def _heard(index: int, answer: Awaitable[Any], step: Step) -> None:
    wanted = {Append: Verdict.STORED, Copy: Verdict.DUPLICATE}.get(type(step))
    verdict = await answer
    if wanted not in (None, verdict):
        os.write(2, f"step {index}, {step}, came to {verdict}\n".encode())
        os._exit(1)  # at once, whatever the journal's threads do
    _say(f"-{index}\n")


def _begin(journal: SqliteJournal, step: Step) -> Awaitable[Any]:
    if isinstance(step, Append | Copy):
        return journal.append(event(step.number))
    if isinstance(step, Quarantine):
        return journal.quarantine(push(step.number))
    if isinstance(step, Register):
        return journal.register(step.lane, step.start)
    if isinstance(step, Forget):
        return journal.forget(step.lane)
    return journal.settle(step.lane, step.settlement)


def _say(text: str) -> None:
    os.write(1, text.encode())


if __name__ == "__main__":
    seed, first, last = map(int, sys.argv[2:])
    asyncio.run(tell(Path(sys.argv[1]), draw(seed, last).bursts[first:last]))
