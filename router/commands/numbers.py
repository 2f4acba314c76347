"""Numbers on the command line."""

import math
from typing import Any

import click


class Number(click.FloatRange):
    """A number within a range. To click alone `nan` is within every range, and `inf` within those that have no end."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Raises click.BadParameter."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number
