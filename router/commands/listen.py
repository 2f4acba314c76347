"""`listen`: events live from a router, for a developer: shown, or pushed on to a program on this machine."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from router.commands import env_file_option
from router.commands.credentials import KEY, SECRET, TOKEN, secret_of, source_of
from router.commands.filters import type_globs, words
from router.commands.forward import Forward, Target
from router.commands.numbers import Number
from router.commands.showing import Render, json_line, say, whole
from router.commands.tables import counted
from router.commands.where import complete_sinks
from router.dispatch.routes import wanted
from router.envelope import Envelope
from router.lifecycle.signals import Stop, stop_on_signal
from router.settings.files import ValueFileError, fingerprint
from router.settings.model import AppSettings

Decorated = TypeVar("Decorated", bound=Callable[..., object])
FEISHUS_SECONDS = 3.0
MARGIN_SECONDS = 2.0
"""What the session gives an event beyond the program's own limit."""


def file_option(name: str, instead: str, text: str) -> Callable[[Decorated], Decorated]:
    """An option that names a file with a secret; no secret is ever given on the command line."""
    path = click.Path(dir_okay=False, path_type=Path)
    return click.option(
        name, type=path, metavar="PATH", help=f"File with {text}. Default: {instead} of the environment."
    )


@click.command()
@env_file_option
@click.option(
    "--sink",
    metavar="NAME",
    shell_complete=complete_sinks,
    help="Connect as the programs of this feishu_ws sink do, by the settings. Needless where there is only one.",
)
@click.option("--domain", metavar="URL", help="Where the router listens for programs: http://router.example:8090.")
@click.option("--app-id", metavar="ID", help="App id of the sink (cli_…), where its settings are not at hand.")
@file_option("--app-secret-file", SECRET, "its secret")
@click.option(
    "--tls-ca-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PATH",
    help="CA certificates (PEM) to trust instead of the system's.",
)
@click.option(
    "--type",
    "types",
    callback=type_globs,
    multiple=True,
    metavar="GLOB",
    help="Only events of this type; `!` in front excludes.",
)
@click.option(
    "--subject", "subjects", callback=words, multiple=True, metavar="GLOB", help="Only events of this subject."
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print each push as a line of JSON, as it came. Default where it is no terminal.",
)
@click.option("--cloudevents", is_flag=True, help="Print each event as a CloudEvent, a line of JSON.")
@click.option("--forward", metavar="URL", help="Push each event on as Feishu would, and print the answer.")
@file_option("--encrypt-key-file", KEY, "the program's Encrypt Key")
@file_option("--token-file", TOKEN, "the program's Verification Token")
@click.option(
    "--timeout",
    type=Number(min=0.1),
    default=FEISHUS_SECONDS,
    show_default=True,
    help="Seconds that the program may take.",
)
@click.option("--count", type=click.IntRange(min=1), help="End after so many events.")
@click.pass_context
def command(ctx: click.Context, /, types: Sequence[str], subjects: Sequence[str], **how: Any) -> None:
    """Show events live, or push them on to a program on this machine.

    It connects to a sink of type feishu_ws as a program with a Feishu SDK does. Each event goes to one of the sink's
    connections: look on with a sink of your own, or you take events from the program that it is for.

    \b
    The events of the sink `dev`, by the router's settings:
      feishu-event-router listen --sink dev --type 'corehr.*'
    From another machine, with the secret in FEISHU_APP_SECRET:
      feishu-event-router listen --domain http://router.example:8090 --app-id cli_9f5343c580712544
    To the program that you are writing, as if Feishu pushed to it:
      feishu-event-router listen --sink dev --forward http://localhost:3000/webhook/event --encrypt-key-file key.txt

    An event is acknowledged once it is printed, or answered 200; else the router pushes it again. Ctrl-C ends it.

    \b
    Exit status: 0 ended by Ctrl-C or --count, 1 no connection or output, 2 wrong settings or usage.
    """
    _check(ctx, how)
    source = source_of(ctx, how["sink"], how["domain"], how["app_id"], how["app_secret_file"])
    if how["tls_ca_file"]:
        source = source.model_copy(update={"tls_ca_file": how["tls_ca_file"]})
    _note_unknown(types)
    asyncio.run(_listen(source, wanted(types, subjects=subjects), _render(how), how))


async def _listen(
    source: AppSettings, wanted: Callable[[Envelope], bool], render: Render | None, how: Mapping[str, Any]
) -> None:
    from router.commands.arrivals import Arrivals  # noqa: PLC0415 - `--help` need not wait for it
    from router.commands.listener import Listener  # noqa: PLC0415

    stop, forward = Stop(), _forward(how)
    arrivals = Arrivals(wanted, render, forward, how["count"], stop)
    listener = Listener(source, arrivals, how["timeout"] + MARGIN_SECONDS, say)
    try:
        with stop_on_signal(stop):
            await listener.run(stop)
    finally:
        if forward is not None:
            await forward.close()
    if arrivals.left_out:
        say(f"{counted(arrivals.left_out, 'event')} left out by --type and --subject.")
    if arrivals.unprinted is not None and not isinstance(arrivals.unprinted, BrokenPipeError):
        raise arrivals.unprinted


def _render(how: Mapping[str, Any]) -> Render | None:
    """How events are printed; None where only the answers of the program are."""
    if how["cloudevents"]:
        return lambda envelope, _: json_line(envelope.json)
    if how["as_json"]:
        return lambda _, payload: json_line(payload)
    if how["forward"]:
        return None
    if sys.stdout.isatty():
        return lambda envelope, _: whole(envelope)
    return lambda _, payload: json_line(payload)


def _forward(how: Mapping[str, Any]) -> Forward | None:
    if how["forward"] is None:
        return None
    key, token = secret_of(how["encrypt_key_file"], KEY), secret_of(how["token_file"], TOKEN)
    return Forward(Target(how["forward"], key, token, how["timeout"]))


def _check(ctx: click.Context, how: Mapping[str, Any]) -> None:
    """Raises click.UsageError for options that mean nothing."""
    given = (ctx.get_parameter_source(name) for name in ("encrypt_key_file", "token_file", "timeout"))
    if how["forward"] is None and ParameterSource.COMMANDLINE in given:
        raise click.UsageError("--encrypt-key-file, --token-file and --timeout are the program's that --forward names")
    if how["as_json"] and how["cloudevents"]:
        raise click.UsageError("--json and --cloudevents exclude each other: each event is printed once")
    if how["tls_ca_file"]:
        try:
            fingerprint(str(how["tls_ca_file"]))
        except ValueFileError as error:
            raise click.UsageError(f"--tls-ca-file: {error}") from None


def _note_unknown(patterns: Sequence[str]) -> None:
    """A type may be newer than this version; more often it is misspelled."""
    from router.feishu.catalogue import matches_any  # noqa: PLC0415 - `--help` need not wait for it

    for pattern in patterns:
        if not matches_any(pattern.removeprefix("!").strip()):
            say(f"Note: --type {pattern} matches no event type known to this version; is it spelled right?")
