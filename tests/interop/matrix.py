"""Five events, by two roads in, to programs with four SDKs by two roads out: eighty ways, each walked and compared.

`python -m tests.interop.matrix` prints the table; its status is 1 unless every field is filled.
"""

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tabulate import tabulate

from router.feishu.samples import fresh, sample, seed_types
from tests.doubles.ports import free_ports
from tests.interop.bots import LONG_CONNECTION, WEBHOOK, Bot
from tests.interop.build import SDKS, InteropError
from tests.interop.lines import differences, expected, id_of
from tests.interop.stage import ROADS_IN, Stage

OK = "ok"


class Way(NamedTuple):
    """From Feishu to a program."""

    type: str
    road: str
    bot: str


Matrix = Mapping[Way, str]
"""What became of each event on each way: OK, or what is wrong."""


def all_bots(folder: Path, sdks: Sequence[str] = SDKS) -> list[Bot]:
    """A program of each SDK for each road out."""
    modes = [(sdk, mode) for mode in (WEBHOOK, LONG_CONNECTION) for sdk in sdks]
    return [Bot(sdk, mode, folder, port) for (sdk, mode), port in zip(modes, free_ports(len(modes)), strict=True)]


async def walk(folder: Path) -> Matrix:
    """Push every event by every road, wait for all programs, compare what each wrote down. Raises InteropError."""
    pushes = {
        (type_, road): fresh(sample(type_), time.time(), "", app_id)
        for road, app_id in ROADS_IN.items()
        for type_ in seed_types()
    }
    wanted = {push["header"]["event_id"] for push in pushes.values()}
    bots = all_bots(folder)
    async with Stage(folder, bots) as stage:
        for (_, road), push in pushes.items():
            stage.feishu.push(push, app_id=ROADS_IN[road], road=road)
        await stage.feishu.settled()
        with contextlib.suppress(AssertionError):  # the table tells what is missing
            await stage.arrived(wanted)
    return {Way(type_, road, bot.name): verdict(bot, push) for (type_, road), push in pushes.items() for bot in bots}


def verdict(bot: Bot, push: Mapping[str, Any]) -> str:
    """OK, or what is wrong with what that program wrote down of that push."""
    id_ = id_of({"document": push})
    lines = [line for line in bot.lines() if id_of(line) == id_]
    if not lines:
        return "nothing arrived"
    wanted = expected(bot.sdk, dict(push), bot.token if bot.mode == WEBHOOK else "")
    wrong = [each for line in lines for each in differences(wanted, line)]
    return "; ".join(wrong) or OK


def table(matrix: Matrix) -> str:
    """The matrix for people."""
    bots = list(dict.fromkeys(way.bot for way in matrix))
    rows = dict.fromkeys((way.type, way.road) for way in matrix)
    cells = [[*row, *(OK if matrix[Way(*row, bot)] == OK else "WRONG" for bot in bots)] for row in rows]
    heads = ["event", "in by", *(f"{sdk}\nby {road}" for sdk, _, road in (bot.partition("_") for bot in bots))]
    wrong = [f"{' '.join(way)}: {said}" for way, said in matrix.items() if said != OK]
    filled = f"{len(matrix) - len(wrong)} of {len(matrix)} ways"
    return "\n".join([tabulate(cells, heads), "", *wrong, filled])


def main() -> None:
    """Print the table."""
    try:
        with tempfile.TemporaryDirectory(prefix="interop-") as folder:
            matrix = asyncio.run(walk(Path(folder)))
    except (InteropError, AssertionError) as error:
        sys.exit(f"{error}")
    print(table(matrix))
    sys.exit(any(said != OK for said in matrix.values()))


if __name__ == "__main__":
    main()
