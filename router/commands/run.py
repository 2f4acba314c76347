"""`feishu-event-router run`: take events in and bring them to the sinks."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import click

from router.commands import env_file_option, environ_of
from router.settings import Settings, load

SWITCH_INTERVAL = 0.0002
"""Seconds. The journal's writer thread takes the interpreter lock twice a batch; by default it would wait 5 ms each time."""


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

    The first signal drains: unready, a few seconds more of accepting, what was accepted is finished, sinks get a
    deadline. A second signal ends it at once; nothing that was answered is lost.

    \b
    On this machine, with no settings at all:
      feishu-event-router run
    With the settings of a file:
      feishu-event-router run --env-file prod.env

    \b
    Exit status: 0 after a drain, 1 when it can't start or a part failed, 2 for wrong settings.
    """
    settings = load(environ_of(ctx))
    if set_aside_damaged_journal:
        _set_aside(settings)
    ctx.exit(serve(settings))


def serve(settings: Settings) -> int:
    """Run the router in this process until a signal; returns the exit status."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(settings))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415 - where it is to be had
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _serve(settings: Settings) -> int:
    from router.app import Router, WorkerFailedError  # noqa: PLC0415 - so that `--help` is there at once
    from router.banner import banner  # noqa: PLC0415
    from router.journal.contract import JournalError  # noqa: PLC0415
    from router.lifecycle.signals import stop_on_signal  # noqa: PLC0415
    from router.telemetry import Telemetry  # noqa: PLC0415
    from router.telemetry.logs import make_logger  # noqa: PLC0415

    telemetry = Telemetry(make_logger(settings.log.level, settings.log.format))
    stop = asyncio.Event()
    try:
        with stop_on_signal(stop):
            router = Router(settings, telemetry)
            await router.run(stop, lambda listening: banner(settings, listening.webhook, listening.admin))
    except JournalError as error:
        raise click.ClickException(str(error)) from error
    except WorkerFailedError as error:
        raise click.ClickException(f"{error}. What was answered is stored; start it again.") from error
    except (OSError, ValueError) as error:
        raise click.ClickException(f"it can't start: {error}") from error
    return 0


def _set_aside(settings: Settings) -> None:
    from router.app import JOURNAL_FILE  # noqa: PLC0415
    from router.journal.contract import JournalError  # noqa: PLC0415
    from router.journal.guard import set_aside  # noqa: PLC0415

    journal: Path = settings.data_dir / JOURNAL_FILE
    try:
        renamed = set_aside(journal)
    except (JournalError, OSError) as error:
        raise click.ClickException(f"the journal can't be set aside: {error}") from error
    click.echo(f"Set aside: {renamed}" if renamed else f"There is no journal at {journal}.", err=True)
