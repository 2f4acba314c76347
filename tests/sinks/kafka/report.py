"""What each fault cost: a line when its test ends, and a table in the file that KAFKA_REPORT names."""

import os
from dataclasses import astuple, dataclass
from pathlib import Path

HEAD = "case                                     | events | back after s | worst wait s | copies | dead | worst wait of files s"


@dataclass(frozen=True, slots=True)
class Row:
    """seconds: from the fault (or its end, where somebody must end it) until all is delivered that was held;
    worst_seconds: the longest that an event waited for Kafka; other_worst_seconds: for the file sink meanwhile.
    """

    case: str
    events: int
    seconds: float
    worst_seconds: float
    copies: int
    dead: int
    other_worst_seconds: float

    def __str__(self) -> str:
        form = "{:<40} | {:>6} | {:>12.1f} | {:>12.1f} | {:>6} | {:>4} | {:>21.2f}"
        return form.format(*astuple(self))


def write(row: Row) -> None:
    """Print the row (pytest shows it with -s or -rP), and add it to the report's file if one is wanted."""
    print(f"{HEAD}\n{row}")
    name = os.environ.get("KAFKA_REPORT")
    if name is not None:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        begun = path.exists()
        with path.open("a") as file:
            file.write(f"{row}\n" if begun else f"{HEAD}\n{row}\n")
