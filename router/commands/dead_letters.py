"""`dead-letters`: what sinks didn't get, and pushes that weren't understood: seen, given back, deleted, taken away."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import click
import orjson

from router.commands.bulk import Tally, confirmed, may_ask, print_skipped, work
from router.commands.client import Client
from router.commands.filters import Wanted, filter_options, query, spoken
from router.commands.letter_file import output
from router.commands.tables import age, counted, line, pairs, pretty, print_json, table, when
from router.commands.where import Where, where_options

PAGE = 500


class Deed(NamedTuple):
    """What is done to many letters, in the words of the API and of people."""

    action: str
    fate: str
    question: str
    label: str


REPLAY = Deed("replay", "will be given back to their sinks", "Give them back?", "Giving back")
PURGE = Deed("purge", "will be DELETED for good", "Delete them?", "Deleting")


@click.group()
def command() -> None:
    """What sinks didn't get: list it, look at it, give it back, delete it, take it away.

    An event becomes a dead letter of one sink when that sink refused it for good, or failed on it again and again while
    it took others. It stays, whole, until it is given back (replay) or deleted (purge).

    \b
    How many, of which sink, and why?
      feishu-event-router dead-letters list
    What happened to number 17, and what can be done?
      feishu-event-router dead-letters show 17
    The receiver is mended: give everything of it back.
      feishu-event-router dead-letters replay --sink iam
    """


@command.command("list")
@where_options
@filter_options
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Show so many at most.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def list_letters(where: Where, wanted: Wanted, limit: int, *, as_json: bool) -> None:
    """Which dead letters there are.

    \b
    Everything; one sink's of the last two hours; one kind of event:
      feishu-event-router dead-letters list
      feishu-event-router dead-letters list --sink iam --since 2h
      feishu-event-router dead-letters list --type 'corehr.*' --type '!corehr.employee.*'
    For machines:
      feishu-event-router dead-letters list --json | jq '.letters[].id'

    It works while the router runs, and from the journal's file while it doesn't.
    """
    client = where.reader()
    summary = client.get("/dead-letters/summary", query(wanted))
    letters: list[dict[str, Any]] = []
    for letter in _pages(client, wanted | {"up_to_id": summary["last_id"]}, min(limit, PAGE)):
        if len(letters) == limit:
            break
        letters.append(letter)
    if as_json:
        print_json({"letters": letters, "total": summary["total"], "groups": summary["groups"]})
        return
    if letters:
        click.echo(_listed(letters) + "\n")
    click.echo(_summary_line(summary, wanted))
    if len(letters) < summary["total"]:
        click.echo(f"The first {len(letters):,} are shown; --limit shows more.", err=True)


@command.command()
@where_options
@click.argument("numbers", type=click.IntRange(min=1), nargs=-1, required=True, metavar="ID...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line instead of text.")
def show(where: Where, numbers: Sequence[int], *, as_json: bool) -> None:
    """Everything about some dead letters: the envelope, each attempt, the reason in words, what to do.

    \b
      feishu-event-router dead-letters show 17
      feishu-event-router dead-letters show 17 18 --json | jq .envelope

    It works while the router runs, and from the journal's file while it doesn't.
    """
    client = where.reader()
    for place, number in enumerate(numbers):
        letter = client.get(f"/dead-letters/{number}", exact=True)
        if as_json:
            click.echo(orjson.dumps(letter))
        else:
            click.echo(("\n" + "─" * 60 + "\n\n" if place else "") + _whole(letter))


@command.command()
@where_options
@filter_options
@click.argument("numbers", type=click.IntRange(min=1), nargs=-1, metavar="[ID...]")
@click.option("--all", "everything", is_flag=True, help="All there are; needed when no condition is given.")
@click.option("--yes", is_flag=True, help="Don't ask.")
def replay(where: Where, wanted: Wanted, numbers: Sequence[int], *, everything: bool, yes: bool) -> None:
    """Give dead letters back to their sinks, as if they came for the first time.

    Each subject stays in order with what is still to be delivered of it; pushes that weren't understood are read anew
    with the present keys. It says what it will do and asks. It may be interrupted and called again; what dies
    meanwhile isn't touched.

    \b
      feishu-event-router dead-letters replay 17 18
      feishu-event-router dead-letters replay --sink iam --reason http_500 --since 2h
      feishu-event-router dead-letters replay --all --yes

    \b
    Exit status: 0 all were given back, 1 not all, 130 interrupted.
    """
    may_ask(yes=yes)
    chosen = _chosen(wanted, numbers, everything=everything)
    tally = _carry_out(where, chosen, REPLAY, yes=yes)
    if tally is None:
        return
    click.echo(f"Gave back {counted(tally.done, 'dead letter')}.")
    print_skipped(tally, "could not be given back")
    if tally.skipped:
        raise click.exceptions.Exit(1)


@command.command()
@where_options
@filter_options
@click.argument("numbers", type=click.IntRange(min=1), nargs=-1, metavar="[ID...]")
@click.option("--all", "everything", is_flag=True, help="All there are; needed when no condition is given.")
@click.option("--yes", is_flag=True, help="Don't ask.")
def purge(where: Where, wanted: Wanted, numbers: Sequence[int], *, everything: bool, yes: bool) -> None:
    """Delete dead letters for good. Their events reach the sink never.

    It says what it will do and asks. It may be interrupted and called again; what dies meanwhile isn't touched. Keep a
    copy first, if in doubt: `dead-letters export` takes the same conditions.

    \b
      feishu-event-router dead-letters purge 17
      feishu-event-router dead-letters purge --sink iam --reason http_409 --until 7d
    """
    may_ask(yes=yes)
    chosen = _chosen(wanted, numbers, everything=everything)
    tally = _carry_out(where, chosen, PURGE, yes=yes)
    if tally is not None:
        click.echo(f"Deleted {counted(tally.done, 'dead letter')}.")


@command.command()
@where_options
@filter_options
@click.option("--output", "target", required=True, metavar="FILE|-", help="Where to write; `-` is standard output.")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
def export(where: Where, wanted: Wanted, target: str, *, force: bool) -> None:
    """Write dead letters to a file, one JSON object a line: envelope, reason, attempts. They stay where they are.

    The file appears when it is complete. It is readable by you alone: it holds what the events hold.

    \b
      feishu-event-router dead-letters export --output letters.jsonl
      feishu-event-router dead-letters export --sink iam --output - | jq -c .envelope

    It works while the router runs, and from the journal's file while it doesn't.
    """
    client = where.reader()
    summary = client.get("/dead-letters/summary", query(wanted))
    count = 0
    with output(target, force=force) as file:
        for letter in _pages(client, wanted | {"up_to_id": summary["last_id"], "whole": "true"}, PAGE):
            file.write(orjson.dumps(letter, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    click.echo(f"Wrote {counted(count, 'dead letter')}" + ("." if target == "-" else f" to {target}."), err=True)


def _chosen(wanted: Wanted, numbers: Sequence[int], *, everything: bool) -> Wanted:
    """The filter of a bulk command. Raises click.UsageError when it isn't clear that everything is meant."""
    chosen = wanted | ({"id": list(numbers)} if numbers else {})
    if everything and chosen:
        raise click.UsageError("--all means all there are; leave out either it or the other conditions")
    if not everything and not chosen:
        raise click.UsageError("which ones? Give IDs or conditions such as --sink; or say --all")
    return chosen


def _pages(client: Client, wanted: Wanted, limit: int) -> Iterator[dict[str, Any]]:
    after: str | None = None
    while True:
        page = client.get("/dead-letters", query(wanted, limit=limit, after=after), exact=True)
        yield from page["letters"]
        after = page["next"]
        if after is None:
            return


def _carry_out(where: Where, chosen: Wanted, deed: Deed, *, yes: bool) -> Tally | None:
    """Say what will be done, ask, do it to the end; None when there is nothing to do."""
    client = where.router()
    summary = client.get("/dead-letters/summary", query(chosen))
    if not _announce(summary, deed.fate, chosen):
        return None
    confirmed(deed.question, yes=yes)
    return work(client, deed.action, chosen | {"up_to_id": summary["last_id"]}, summary["total"], deed.label)


def _announce(summary: dict[str, Any], fate: str, wanted: Wanted) -> bool:
    """Say what will be done; whether there is anything to do."""
    if not summary["total"]:
        click.echo(_summary_line(summary, wanted))
        return False
    groups = sorted(summary["groups"], key=lambda group: -group["count"])
    rows = [
        [
            group["sink"],
            group["type"],
            group["reason"],
            f"{group['count']:,}",
            when(group["oldest"]),
            when(group["newest"]),
        ]
        for group in groups
    ]
    click.echo(table(["sink", "type", "reason", "count", "oldest", "newest"], rows), err=True)
    click.echo(f"\n{counted(summary['total'], 'dead letter')} {fate}.", err=True)
    return True


def _listed(letters: Sequence[dict[str, Any]]) -> str:
    rows = [
        [
            one["id"],
            one["sink"],
            when(one["dead"]),
            one["type"] or "-",
            line(one["subject"] or "-", 40),
            one["reason"],
            one["attempts"],
            age(one["dead"]),
        ]
        for one in letters
    ]
    return table(["id", "sink", "dead", "type", "subject", "reason", "attempts", "age"], rows)


def _summary_line(summary: dict[str, Any], wanted: Wanted) -> str:
    if not summary["total"]:
        return "There are no dead letters" + (f" with {line(spoken(wanted))}." if wanted else ".")
    by_sink: Counter[str] = Counter()
    for group in summary["groups"]:
        by_sink[group["sink"]] += group["count"]
    sinks = ", ".join(f"{line(sink)} {count:,}" for sink, count in by_sink.most_common())
    oldest = min(group["oldest"] for group in summary["groups"])
    return f"{counted(summary['total'], 'dead letter')}: {sinks}; the oldest is from {age(oldest)} ago."


def _whole(letter: dict[str, Any]) -> str:
    head = pairs(
        [
            ("dead letter", letter["id"]),
            ("sink", letter["sink"]),
            ("event", letter["event_id"]),
            ("type", letter["type"]),
            ("subject", letter["subject"]),
            ("app", letter["app"]),
            ("position", letter["position"]),
            ("size", f"{letter['bytes']:,} bytes"),
            ("dead", f"{when(letter['dead'])} ({age(letter['dead'])} ago)"),
            ("first failed", when(letter["first_failed"])),
            ("attempts", letter["attempts"]),
            ("reason", letter["reason"]),
            ("detail", letter["detail"]),
        ]
    )
    parts = [head, f"What happened: {letter['meaning']}\nWhat to do:    {letter['remedy']}"]
    if letter["history"]:
        rows = [[when(attempt["at"]), attempt["reason"], line(attempt["detail"])] for attempt in letter["history"]]
        parts.append("Attempts\n" + table(["when", "reason", "detail"], rows))
    kind = "Push" if letter["sink"] == "ingress" else "Envelope"
    return "\n\n".join([*parts, f"{kind}\n{pretty(letter['envelope'])}"])
