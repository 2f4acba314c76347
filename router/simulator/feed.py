"""The events that are pushed: documents in turn, each time as new events; some of them late."""

import itertools
import random
import time
from collections.abc import Iterator, Sequence
from typing import Any

from router.feishu import samples
from router.simulator.pushes import Push

LATE_BY = 10


def feed(
    documents: Sequence[dict[str, Any]], app_id: str, count: int | None, out_of_order: float = 0.0, seed: int = 0
) -> Iterator[Push]:
    """`count` events, without end for None. out_of_order: the share of those that are overtaken by up to ten others."""
    rng = random.Random(f"feed {seed}")  # noqa: S311 - to be repeatable
    cycle = itertools.cycle(documents)
    held: list[tuple[int, Push]] = []
    for number in itertools.count() if count is None else range(count):
        push = Push.of(samples.fresh(next(cycle), time.time(), "", app_id))
        if out_of_order > rng.random():
            held.append((number + rng.randint(1, LATE_BY), push))
            continue
        yield push
        while held and held[0][0] <= number:
            yield held.pop(0)[1]
    for _, push in held:
        yield push
