"""What operators see: the catalogue of facts (`facts`), and what turns them into log lines and metrics."""

from router.telemetry import facts
from router.telemetry.tallies import Tally
from router.telemetry.telemetry import Telemetry

__all__ = ["Tally", "Telemetry", "facts"]
