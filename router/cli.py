"""The command line. Commands are imported when they are called, so that `--help` is there at once."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import IO, Any

import click

from router.commands import env_file_option
from router.output import OutputError, guard
from router.settings.faults import SettingsError, did_you_mean

PROGRAM = "feishu-event-router"
INTERRUPTED = 130
COMMANDS = {
    "run": "Take events in and bring them to the sinks. Runs until SIGTERM or Ctrl-C.",
    "check": "Say whether the settings are good, and what they amount to.",
    "send": "Push sample events at a running router, the way Feishu does.",
    "simulate": "Be Feishu for a receiver of yours: webhooks and long connections, on good days and bad.",
    "sinks": "How each sink is. Pause one, let it go on, forget one that is no more.",
    "connections": "The connections to Feishu: up or not, and why.",
    "dead-letters": "What sinks didn't get: list it, look at it, give it back, delete it, take it away.",
    "replay": "Send stored events to a sink again.",
    "replays": "Replays of stored events: how far they are; stop one.",
    "listen": "Show events live, or push them on to a program that you are writing.",
    "completion": "Print the script for Tab completion in bash, zsh or fish.",
}


class SettingsFault(click.ClickException):
    """All faults, one a line, and exit status 2."""

    exit_code = 2

    def __init__(self, error: SettingsError) -> None:
        super().__init__(str(error))
        self.faults = error.faults

    def show(self, file: IO[Any] | None = None) -> None:
        """Print to standard error."""
        count = "a fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        click.echo(f"The settings have {count}:", file, err=True, color=self.show_color)
        for fault in self.faults:
            hint = f" ({fault.suggestion})" if fault.suggestion else ""
            name = click.style(fault.variable, bold=True)
            click.echo(f"  {name}: {fault.problem}{hint}", file, err=True, color=self.show_color)


@contextmanager
def _faults_shown() -> Iterator[None]:
    try:
        yield
    except SettingsError as error:
        raise SettingsFault(error) from error


class Commands(click.Group):
    """The commands by name, imported on demand."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """In the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"router.commands.{cmd_name.replace('-', '_')}").command
        command.name = cmd_name
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest command for one that doesn't exist."""
        word = args[0]
        if word not in COMMANDS and not word.startswith("-") and not ctx.resilient_parsing:
            hint = did_you_mean(word, COMMANDS) or f"The commands are {', '.join(COMMANDS)}."
            raise click.UsageError(f"there is no command {word!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the options before the command's name."""
        if os.environ.get("NO_COLOR"):
            ctx.color = False  # of every command, too
        with _faults_shown():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; bad settings end any of them in the same way."""
        with _faults_shown():
            return super().invoke(ctx)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@env_file_option
@click.version_option(package_name=PROGRAM, prog_name=PROGRAM)
def cli() -> None:
    """Take every Feishu (Lark) event in, make it durable, and bring it to every team's sink.

    Settings are environment variables that begin with FER_. With none at all it runs on this machine: webhook on
    http://127.0.0.1:8080/webhook/event, journal and events under ./data.

    \b
    Start it, and push sample events at it from a second terminal:
      feishu-event-router run
      feishu-event-router send
    Are the settings good? Does every sink answer?
      feishu-event-router check
      feishu-event-router check --env-file prod.env --connect
    A bad night: who is behind, what did not arrive, give it back
      feishu-event-router sinks list
      feishu-event-router dead-letters list
      feishu-event-router dead-letters replay --sink iam
    What is it doing?
      curl http://127.0.0.1:9464/readyz       is it taking events in
      curl http://127.0.0.1:9464/metrics      lag, state and failures of each sink

    \b
    Exit status: 0 done, 1 it could not be done, 2 wrong settings or usage, 130 interrupted.
    """


def main(args: Sequence[str] | None = None) -> None:
    """What the program's name runs: ends the process with the exit status."""
    guard()
    try:
        status = cli.main(args, PROGRAM, standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        status = INTERRUPTED
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except OutputError as error:
        click.echo(f"Error: {error}", err=True)
        status = 1
    sys.exit(status if isinstance(status, int) else 0)
