"""What every lane shares."""

from collections.abc import Callable
from random import random
from typing import NamedTuple

from router.clock import Clock
from router.journal.contract import Journal
from router.settings.model import DispatchSettings
from router.telemetry import Telemetry


class Parts(NamedTuple):
    """The parts of the router that lanes work with. jitter: uniform in [0, 1), for the backoff."""

    journal: Journal
    dispatch: DispatchSettings
    telemetry: Telemetry
    clock: Clock
    jitter: Callable[[], float] = random
