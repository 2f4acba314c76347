"""`connections`: how each connection to Feishu is, and which programs are connected here."""

from typing import Any

import click

from router.commands.tables import age, line, print_json, table, when
from router.commands.where import Where, where_options


@click.command()
@where_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(where: Where, *, as_json: bool) -> None:
    """The connections to Feishu of apps with MODE=long_connection: up or not, and why. Then the programs that are connected to
    sinks of type feishu_ws: since when, and what they have acknowledged.

    \b
    connected   events come over it      waiting  lost or not to be had; tried again soon
    connecting  under way                refused  Feishu says no; tried again slowly, and somebody must mend it
    stopped     the router drains

    \b
      feishu-event-router connections
      feishu-event-router connections --json | jq '.connections[] | select(.state != "connected")'
    """
    told = where.router().get("/connections")
    connections, programs = told["connections"], told["programs"]
    if as_json:
        print_json(told)
        return
    if connections:
        headers = ["app", "no.", "state", "since", "id", "events", "last event", "last pong", "next attempt", "why"]
        click.echo(table(headers, [_row(connection) for connection in connections]))
    else:
        click.echo("There are none to Feishu: no app has MODE=long_connection.")
    if programs:
        headers = ["sink", "program", "since", "id", "acknowledged", "unanswered", "calls itself"]
        click.echo("\n" + table(headers, [_program(program) for program in programs]))


def _row(connection: dict[str, Any]) -> list[object]:
    return [
        connection["app"] or "-",
        connection["number"],
        connection["state"],
        age(connection["since"]),
        line(connection["id"], 24) or "-",
        f"{connection['events']:,}",
        age(connection["last_event"]),
        age(connection["last_pong"]),
        when(connection["next_attempt"]),
        line(connection["reason"], 120),
    ]


def _program(program: dict[str, Any]) -> list[object]:
    return [
        program["sink"],
        line(program["client"], 40),
        age(program["since"]),
        line(program["id"], 24),
        f"{program['acknowledged']:,}",
        program["unanswered"],
        line(program["agent"], 40),
    ]
