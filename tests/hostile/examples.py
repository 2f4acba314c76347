"""How many random examples a hostile test tries: HOSTILE_EXAMPLES for long runs, HOSTILE_SEED to see one again."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, seed, settings

EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "100"))
SEED = os.environ.get("HOSTILE_SEED")


def many(factor: float = 1.0) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """So many random examples, times the factor; a failing one is printed with all it takes to repeat it."""
    examples = max(10, int(EXAMPLES * factor))
    limits = settings(
        max_examples=examples, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck), database=None
    )

    def limited(test: Callable[..., Any]) -> Callable[..., Any]:
        return seed(int(SEED))(limits(test)) if SEED else limits(test)

    return limited
