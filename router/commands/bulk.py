"""A long piece of work in slices: asked about first, shown while it runs, stopped and gone on with as one likes."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import click

from router.commands.client import Client, ClientError
from router.commands.filters import Wanted
from router.commands.tables import counted, line

SLICE = 200
LINE_SECONDS = 5.0
STALL_SECONDS = 300.0
"""So long the router may say that it has to catch up, without taking anything."""
INTERRUPTED = 130


Show = Callable[[int], object]
"""Shows that so many more have been done."""


@dataclass
class Tally:
    """What came of it. skipped: those that stay, by reason, with the first of them."""

    done: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    example: dict[str, int] = field(default_factory=dict)

    def add(self, step: dict[str, Any]) -> int:
        """Count a slice; how many letters it went through."""
        self.done += step["done"]
        for skipped in step["skipped"]:
            self.skipped[skipped["reason"]] += 1
            self.example.setdefault(skipped["reason"], skipped["id"])
        return int(step["done"]) + len(step["skipped"])


def may_ask(*, yes: bool) -> None:
    """Refuse at once what would have to be asked about where nobody can answer. Raises click.UsageError."""
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("this has to be confirmed, and there is no terminal to ask at: say --yes")


def confirmed(question: str, *, yes: bool) -> None:
    """Ask; ends the command when the answer is no."""
    if not yes and not click.confirm(question, err=True):
        click.echo("Nothing was changed.", err=True)
        raise click.exceptions.Exit(1)


def work(client: Client, action: str, wanted: Wanted, total: int, label: str) -> Tally:
    """Do it slice by slice to the end. Raises ClientError saying how far it came; Ctrl-C ends the command, saying so too."""
    tally = Tally()
    try:
        with progress(total, label) as show:
            _slices(client, f"/dead-letters/{action}", wanted, tally, show)
    except ClientError as error:
        raise ClientError(f"{error.message}\n{_so_far(tally, total)}") from error
    except KeyboardInterrupt:
        click.echo(f"\nInterrupted. {_so_far(tally, total)}", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    return tally


def _slices(client: Client, path: str, wanted: Wanted, tally: Tally, show: Show) -> None:
    after: str | None = None
    waited = 0.0
    while True:
        question = {"filter": wanted, "limit": SLICE} | ({"after": after} if after else {})
        step = client.post(path, question)
        more = tally.add(step)
        show(more)
        after = step["next"]
        if after is None:
            return
        waited = 0.0 if more else waited + step["wait_seconds"]
        if waited > STALL_SECONDS:
            raise ClientError(
                f"the sink has taken no more for {STALL_SECONDS:g} s: `sinks list` says how it is. Mend it first"
            )
        time.sleep(step["wait_seconds"])


def _so_far(tally: Tally, total: int) -> str:
    return f"At least {tally.done:,} of {total:,} are done; the same command goes on with the rest."


def print_skipped(tally: Tally, kept: str) -> None:
    """Say which letters stay and why."""
    for reason, count in tally.skipped.most_common():
        example = tally.example[reason]
        click.echo(f"{counted(count, 'dead letter')} {kept}, such as {example}: {line(reason)}", err=True)


@contextmanager
def progress(total: int, label: str) -> Iterator[Show]:
    """A bar on a terminal, else a plain line now and then; on standard error."""
    if sys.stderr.isatty():
        with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
            yield bar.update
        return
    done, said = 0, time.monotonic()

    def show(more: int) -> None:
        nonlocal done, said
        done += more
        if time.monotonic() - said >= LINE_SECONDS:
            said = time.monotonic()
            click.echo(f"{label}: {done:,} of {total:,}", err=True)

    yield show
