"""What the parts of a long connection share."""

import random
from collections.abc import Callable
from typing import NamedTuple

from router.clock import Clock
from router.telemetry import Telemetry


class Tools(NamedTuple):
    """random: uniform in [0, 1), for waits that must not fall together."""

    telemetry: Telemetry
    clock: Clock
    random: Callable[[], float] = random.random

    def wall_ms(self) -> int:
        """Unix milliseconds."""
        return int(self.clock.wall() * 1000)
