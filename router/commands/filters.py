"""Options that say which dead letters or events are meant; they become members of a question to the admin API."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar

import click

from router.admin.moments import moment, stamp
from router.commands.where import complete_sinks

Decorated = TypeVar("Decorated", bound=Callable[..., object])
Wanted = dict[str, Any]
"""Members of a filter: texts in lists, times as text."""


def moment_or(word: str = "") -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    """A time, or how long ago, or that word. Fixed at once, so that a long piece of work means the same to its end."""

    def convert(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
        if value is None or (word and value.strip().lower() == word):
            return value and value.strip().lower()
        try:
            return stamp(moment(value, int(time.time() * 1000)))
        except (ValueError, OverflowError) as error:
            raise click.BadParameter(f"{error}, or {word}" if word else str(error)) from None

    return convert


def words(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Text, or several, none of it empty: a shell variable that wasn't set must not come to mean everything."""
    given = [value] if isinstance(value, str) else value or ()
    if not all(word.strip(" !") for word in given):
        raise click.BadParameter("is empty; leave the option out to set no condition")
    return value.strip() if isinstance(value, str) else tuple(word.strip() for word in given)


def type_globs(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """The same of event types: what no type can match is a mistake."""
    given = words(ctx, param, value)
    for pattern in given:
        outside = re.sub(r"\[!?[^]][^]]*\]", "", pattern.removeprefix("!").strip())
        if not re.fullmatch(r"[\w.*?-]*", outside):
            raise click.BadParameter(f"{pattern} can match no event type; give one glob, such as corehr.*, each time")
    return given


def sink_option(**more: Any) -> Callable[[Decorated], Decorated]:
    """`--sink`, completed from the settings."""
    return click.option("--sink", callback=words, metavar="NAME", shell_complete=complete_sinks, **more)


def filter_options(function: Decorated) -> Decorated:
    """Which dead letters: the command gets a `Wanted` named `wanted`."""

    @sink_option(multiple=True, help="Of this sink; `ingress` are pushes that weren't understood.")
    @click.option(
        "--type", "types", callback=words, multiple=True, metavar="GLOB", help="Event type; `!` in front excludes."
    )
    @click.option("--app", callback=words, multiple=True, metavar="ID", help="Feishu's app id (cli_…).")
    @click.option("--subject", callback=words, multiple=True, metavar="ID", help="Subject: a department, a person, …")
    @click.option("--reason", callback=words, multiple=True, metavar="WORD", help="Reason, such as http_400.")
    @click.option(
        "--since", callback=moment_or(), metavar="TIME", help="Dead since: 2h (ago), or 2026-01-31T08:00:00Z."
    )
    @click.option("--until", callback=moment_or(), metavar="TIME", help="Dead before.")
    @wraps(function)
    def called(*args: Any, sink: Sequence[str], types: Sequence[str], since: str, until: str, **rest: Any) -> object:
        given = {"sink": sink, "type": types, "since": since, "until": until}
        given |= {name: rest.pop(name) for name in ("app", "subject", "reason")}
        return function(*args, wanted=members(given), **rest)

    return called  # type: ignore[return-value] # click takes it for what it decorates


def members(given: Mapping[str, Any]) -> Wanted:
    """Those that were given."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items() if value}


def query(wanted: Wanted, **more: object) -> Iterator[tuple[str, object]]:
    """The same as parameters of a query string; None is left out."""
    for name, value in {**wanted, **more}.items():
        for single in value if isinstance(value, list) else [value]:
            if single is not None:
                yield name, single


def spoken(wanted: Wanted) -> str:
    """The conditions in words, "" when there are none."""
    parts = [
        f"{name} {', '.join(map(str, value)) if isinstance(value, list) else value}" for name, value in wanted.items()
    ]
    return "; ".join(parts)
