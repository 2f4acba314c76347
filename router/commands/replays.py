"""`replays`: how far replays are; stopping one."""

from collections.abc import Sequence
from typing import Any

import click

from router.commands.filters import Wanted, spoken
from router.commands.tables import line, print_json, table, when
from router.commands.where import Where, where_options

CONDITIONS = ("type", "app", "tenant", "subject")


@click.group()
def command() -> None:
    """Replays that `replay` began: how far they are; stop one.

    \b
      feishu-event-router replays list
      feishu-event-router replays stop 3
    """


@command.command("list")
@where_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def list_replays(where: Where, *, as_json: bool) -> None:
    """Replays under way, and those that ended since the router's start.

    \b
      feishu-event-router replays list
    """
    replays = where.router().get("/replays")["replays"]
    if as_json:
        print_json({"replays": replays})
    elif replays:
        headers = ["id", "sink", "state", "done", "delivered", "parked", "rate", "since", "until", "only"]
        click.echo(table(headers, [_row(replay) for replay in replays]))
    else:
        click.echo("There are no replays.")


@command.command()
@where_options
@click.argument("numbers", type=click.IntRange(min=1), nargs=-1, required=True, metavar="ID...")
def stop(where: Where, numbers: Sequence[int]) -> None:
    """End replays now. What was not sent is not sent; what was sent stays sent.

    \b
      feishu-event-router replays stop 3
    """
    client = where.router()
    for number in numbers:
        ended = client.delete(f"/replays/{number}")
        click.echo(f"Replay {number} to {line(ended['sink'])} has ended; {ended['delivered']:,} were delivered.")


def _row(replay: dict[str, Any]) -> list[object]:
    only: Wanted = {name: replay[name] for name in CONDITIONS if replay[name]}
    return [
        replay["id"],
        replay["sink"],
        replay["state"],
        f"{_share(replay):.0%}",
        f"{replay['delivered']:,}",
        f"{replay['parked']:,}",
        f"{replay['rate']:g}/s",
        when(replay["since"]) if replay["since"] else "earliest",
        when(replay["until"]),
        line(spoken(only), 60),
    ]


def _share(replay: dict[str, Any]) -> float:
    """How much of the journal's range it has gone through."""
    length = replay["last"] - replay["first"] + 1
    gone = replay["position"] - replay["first"] + 1
    return min(1.0, max(0.0, gone / length)) if length > 0 else 1.0
