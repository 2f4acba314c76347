"""`feishu-event-router run`: take events in and bring them to the sinks."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import click

from router.commands import env_file_option, environ_of
from router.settings import Sections, Settings, SettingsError, read_sections
from router.telemetry import Telemetry, facts
from router.telemetry.logs import Format, is_json, make_logger

SWITCH_INTERVAL = 0.0002
"""Seconds. The journal's writer thread takes the interpreter lock twice a batch; by default it would wait 5 ms each time."""


class StartFailed(click.ClickException):
    """What `run` ends with when it can't start: text for a person, one more line of JSON where the log is JSON."""

    def __init__(self, reason: str, format_: Format, **fields: Any) -> None:
        super().__init__(reason)
        self._format = format_
        self._fields = fields

    def show(self, file: IO[Any] | None = None) -> None:
        """Write to standard error."""
        if is_json(self._format):
            Telemetry(make_logger("error", "json")).emit(facts.START_FAILED, reason=self.message, **self._fields)
        else:
            super().show(file)


class SettingsFailed(StartFailed):
    """For faults in the settings."""

    exit_code = 2


@click.command()
@env_file_option
@click.option(
    "--set-aside-damaged-journal",
    is_flag=True,
    help="Rename a damaged journal and begin an empty one. Its events are kept in the renamed files, not delivered.",
)
@click.pass_context
def command(ctx: click.Context, *, set_aside_damaged_journal: bool) -> None:
    """Take events in and bring them to the sinks. Runs until SIGTERM or Ctrl-C.

    The first signal drains: unready, a few seconds more of accepting (not after Ctrl-C), what was accepted is finished,
    sinks get a deadline. A second signal ends it at once; nothing that was answered is lost. A terminal that is closed
    counts as SIGTERM.

    \b
    On this machine, with no settings at all:
      feishu-event-router run
    With the settings of a file:
      feishu-event-router run --env-file prod.env

    \b
    Exit status: 0 after a drain, 1 when it can't start or a part failed, 2 for wrong settings.
    """
    with _faults_told(ctx.find_root().obj or os.environ):
        environ = environ_of(ctx)
        sections = read_sections(environ)
        settings = sections.settings()
    if set_aside_damaged_journal:
        _set_aside(settings)
    ctx.exit(serve(settings, environ, sections))


@contextmanager
def _faults_told(environ: Mapping[str, str]) -> Iterator[None]:
    """Faults of the settings as one line of JSON where the log is JSON; as text for a person otherwise."""
    try:
        yield
    except SettingsError as error:
        wanted = environ.get("FER_LOG__FORMAT", "").strip()
        format_ = cast("Format", wanted) if wanted in ("json", "console") else "auto"
        if not is_json(format_):
            raise
        faults = [str(fault) for fault in error.faults]
        raise SettingsFailed("the settings have faults", format_, faults=faults) from error


def serve(settings: Settings, environ: Mapping[str, str], sections: Sections) -> int:
    """Run the router in this process until a signal; returns the exit status."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(settings, environ, sections))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415 - where it is to be had
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _serve(settings: Settings, environ: Mapping[str, str], sections: Sections) -> int:
    from router.app import Router, StartError, WorkerFailedError  # noqa: PLC0415 - so that `--help` is there at once
    from router.banner import banner  # noqa: PLC0415
    from router.journal.contract import JournalError  # noqa: PLC0415
    from router.lifecycle.signals import Stop, stop_on_signal  # noqa: PLC0415
    from router.telemetry.libraries import heard, logged  # noqa: PLC0415

    format_ = settings.log.format
    telemetry = Telemetry(make_logger(settings.log.level, format_))
    stop = Stop()
    try:
        with stop_on_signal(stop), heard(logged(telemetry)):
            router = Router(settings, telemetry)
            router.rotate(environ, sections)
            await router.run(stop, lambda at: banner(settings, at.webhook, at.admin, at.programs))
    except WorkerFailedError as error:
        if is_json(format_):
            return 1  # the line of the worker's crash says it
        raise click.ClickException(f"{error}. What was answered is stored; start it again.") from error
    except (JournalError, StartError) as error:
        raise StartFailed(str(error), format_) from error
    except (OSError, ValueError) as error:
        raise StartFailed(f"it can't start: {error}", format_) from error
    return 0


def _set_aside(settings: Settings) -> None:
    from router.journal.contract import JournalError  # noqa: PLC0415
    from router.journal.guard import set_aside  # noqa: PLC0415

    journal: Path = settings.journal_file
    try:
        renamed = set_aside(journal)
    except (JournalError, OSError) as error:
        raise StartFailed(f"the journal can't be set aside: {error}", settings.log.format) from error
    if renamed is not None:
        said = f"Set aside: {renamed}"
    elif journal.exists():
        said = f"The journal at {journal} is not damaged; it is left as it is."
    else:
        said = f"There is no journal at {journal}."
    click.echo(said, err=True)
