"""`sinks`: how each sink is; paused, resumed, and forgotten once it is out of the settings."""

from collections.abc import Sequence
from typing import Any

import click

from router.admin.moments import span
from router.commands.bulk import confirmed, may_ask
from router.commands.client import ClientError, part
from router.commands.tables import age, line, print_json, table
from router.commands.where import Where, complete_sinks, where_options


@click.group()
def command() -> None:
    """How each sink is. Pause one, let it go on, forget one that is no more.

    \b
    Who is behind, and why?
      feishu-event-router sinks list
    The team asked for quiet while it migrates:
      feishu-event-router sinks pause iam
      feishu-event-router sinks resume iam
    A sink was taken out of FER_SINKS and never comes back:
      feishu-event-router sinks forget iam
    """


@command.command("list")
@where_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def list_sinks(where: Where, *, as_json: bool) -> None:
    """State, backlog and dead letters of each sink.

    \b
    running      delivers              paused   by an operator, until `sinks resume`
    unavailable  holds and probes      absent   not in the settings any more, its place is kept
    opening      connects              stopped  the router drains, or doesn't run

    \b
      feishu-event-router sinks list
      feishu-event-router sinks list --json | jq '.sinks[] | select(.state != "running")'

    It works while the router runs, and from the journal's file while it doesn't.
    """
    sinks = where.reader().get("/sinks")["sinks"]
    if as_json:
        print_json({"sinks": sinks})
    elif sinks:
        headers = ["sink", "type", "state", "breaker", "behind", "oldest", "parked", "dead letters", "why"]
        click.echo(table(headers, [_row(sink) for sink in sinks]))
    else:
        click.echo("There are no sinks.")


@command.command()
@where_options
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete_sinks)
def pause(where: Where, names: Sequence[str]) -> None:
    """Deliver nothing more to these sinks until `resume`, restarts of the router included.

    What is under way is finished. Events stay in the journal, which has a size limit: `sinks list` shows the backlog.

    \b
      feishu-event-router sinks pause iam
    """
    client = where.router()
    for name in names:
        client.post(f"/sinks/{part(name)}/pause", {})
        click.echo(f"{line(name)} is paused. `sinks resume {line(name)}` lets it go on.")


@command.command()
@where_options
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete_sinks)
def resume(where: Where, names: Sequence[str]) -> None:
    """End a pause: the sinks go on where they were.

    \b
      feishu-event-router sinks resume iam
    """
    client = where.router()
    for name in names:
        client.post(f"/sinks/{part(name)}/resume", {})
        click.echo(f"{line(name)} goes on.")


@command.command()
@where_options
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--yes", is_flag=True, help="Don't ask.")
def forget(where: Where, names: Sequence[str], *, yes: bool) -> None:
    """Drop the place of sinks that are not in the settings any more, and what is parked for them.

    What they had not got they never get; the space is freed. Their dead letters stay. It says what is lost and asks.

    \b
      feishu-event-router sinks forget iam
    """
    may_ask(yes=yes)
    client = where.router()
    rows = {sink["name"]: sink for sink in client.get("/sinks")["sinks"]}
    for name in names:
        if name not in rows:
            raise ClientError(f"there is no sink {name}; there are: {', '.join(map(line, rows)) or 'none'}")
        if rows[name]["state"] != "absent":
            raise ClientError(f"{name} is in the settings: take it out of FER_SINKS and restart, then forget it")
    for name in names:
        click.echo(
            f"{name} had not got {rows[name]['lag_events']:,} events; {rows[name]['parked']:,} are parked.", err=True
        )
    confirmed(f"Forget {', '.join(names)} for good?", yes=yes)
    for name in names:
        client.delete(f"/sinks/{part(name)}")
        click.echo(f"{name} is forgotten.")


def _row(sink: dict[str, Any]) -> list[object]:
    why = sink["reason"] or (f"not in the settings since {age(sink['absent_since'])}" if sink["absent_since"] else "")
    return [
        sink["name"],
        sink["type"] or "-",
        sink["state"],
        sink["breaker"],
        f"{sink['lag_events']:,}",
        span(sink["lag_seconds"]) if sink["lag_seconds"] else "-",
        f"{sink['parked']:,}",
        f"{sink['dead_letters']:,}",
        line(why, 80),
    ]
