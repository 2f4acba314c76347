"""`replay`: send stored events to one sink again."""

import time
from collections.abc import Sequence
from typing import Any

import click

from router.admin.moments import span, stamp
from router.admin.questions import EARLIEST
from router.commands.bulk import confirmed, may_ask
from router.commands.client import Client
from router.commands.filters import Wanted, members, moment_or, sink_option, words
from router.commands.numbers import Number
from router.commands.tables import counted, line, print_json, when
from router.commands.where import Where, where_options


@click.command()
@where_options
@sink_option(required=True, help="The sink that shall get events again.")
@click.option(
    "--since",
    callback=moment_or(EARLIEST),
    required=True,
    metavar="TIME",
    help="Stored since: 2h (ago), a time, or earliest.",
)
@click.option("--until", callback=moment_or(), metavar="TIME", help="Stored before. Default: now.")
@click.option(
    "--type", "types", callback=words, multiple=True, metavar="GLOB", help="Event type; `!` in front excludes."
)
@click.option("--app", "apps", callback=words, multiple=True, metavar="GLOB", help="Feishu's app id (cli_…).")
@click.option("--tenant", "tenants", callback=words, multiple=True, metavar="GLOB", help="Tenant key.")
@click.option(
    "--subject", "subjects", callback=words, multiple=True, metavar="GLOB", help="Subject: a department, a person, …"
)
@click.option("--rate", type=Number(0, 1e6, min_open=True), default=100, show_default=True, help="Events a second.")
@click.option("--dry-run", is_flag=True, help="Only count what would be sent.")
@click.option("--yes", is_flag=True, help="Neither count nor ask.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def command(where: Where, *, sink: str, dry_run: bool, yes: bool, as_json: bool, **conditions: Any) -> None:
    """Send stored events to a sink again: as far back as the journal keeps them (FER_JOURNAL__RETENTION_SECONDS).

    Only what the sink's own settings want; marked as replayed, in order of each subject, at that rate, while new events
    go on as ever. It goes on over restarts. `replays list` shows how far it is, `replays stop` ends it.

    \b
    The team lost a day; how much would it be? Then do it:
      feishu-event-router replay --sink iam --since 26h --until 2h --dry-run
      feishu-event-router replay --sink iam --since 26h --until 2h
    One department's changes since a certain time:
      feishu-event-router replay --sink iam --since 2026-01-31T08:00:00Z --type 'corehr.department.*' --subject od-1234
    """
    may_ask(yes=yes or dry_run)
    client = where.router()
    order = _order(sink, **conditions)
    if dry_run or not yes:
        total = _count(client, order)
        if dry_run and as_json:
            print_json(total)
            return
        click.echo(_foreseen(sink, total, conditions["rate"]), err=not dry_run)
        if dry_run or not total["events"]:
            return
        confirmed("Send them again?", yes=yes)
    started = client.post("/replays", order)
    if as_json:
        print_json(started)
        return
    number = started["id"]
    click.echo(f"Replay {number} has begun. `replays list` shows how far it is; `replays stop {number}` ends it.")


def _order(sink: str, since: str, until: str | None, rate: float, **names: Sequence[str]) -> Wanted:
    """The order as the API wants it. Its end is fixed here, so that what was counted is what is sent."""
    given = {"sink": sink, "since": since, "until": until or _now(), "rate": rate}
    return members({**given, **{name.removesuffix("s"): value for name, value in names.items()}})


def _now() -> str:
    return stamp(int(time.time() * 1000))


def _count(client: Client, order: Wanted) -> dict[str, Any]:
    """Step by step to the end."""
    total: dict[str, Any] = {"events": 0, "first": None, "last": None}
    after: int | None = None
    while True:
        step = client.post("/replays/count", order | ({"after": after} if after is not None else {}))
        total["events"] += step["events"]
        total["first"] = total["first"] or step["first"]
        total["last"] = step["last"] or total["last"]
        after = step["next"]
        if after is None:
            return total


def _foreseen(sink: str, total: dict[str, Any], rate: float) -> str:
    if not total["events"]:
        return f"No stored event matches; nothing would be sent to {line(sink)}."
    seconds = total["events"] / rate
    length = f"about {span(seconds)}" if seconds >= 1 else "less than a second"
    return (
        f"{counted(total['events'], 'event')}, stored from {when(total['first'])} to {when(total['last'])}, would be sent to "
        f"{line(sink)} again. At {rate:g} a second that takes {length}."
    )
