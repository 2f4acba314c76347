"""One module for each command of `feishu-event-router`, each with a click command named `command`."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import click

from router.settings.envfile import EnvFile, faults_of, merge, scan_env_file
from router.settings.faults import SettingsError

Decorated = TypeVar("Decorated", bound=Callable[..., object])
_FILES = "feishu-event-router.env-files"


def environ_of(ctx: click.Context) -> Mapping[str, str]:
    """The variables in force: the process's own, over those of `--env-file`. Every command reads its settings from these.

    Raises SettingsError when something is wrong in a file: with all that is wrong, there and in the settings.
    """
    root = ctx.find_root()
    environ: Mapping[str, str] = os.environ if root.obj is None else root.obj
    faults = faults_of(root.meta.get(_FILES, ()), environ)
    if faults:
        raise SettingsError(faults)
    return environ


def env_file_option(decorated: Decorated) -> Decorated:
    """`--env-file`, before the command's name or after it."""
    option = click.option(
        "--env-file",
        type=click.Path(path_type=Path),
        multiple=True,
        metavar="PATH",
        expose_value=False,
        is_eager=True,
        callback=_take,
        help="Read settings from a file of KEY=VALUE lines; the real environment wins. May be given more than once.",
    )
    return option(decorated)


def _take(ctx: click.Context, _param: click.Parameter, paths: Sequence[Path]) -> None:
    if not paths or ctx.resilient_parsing:
        return
    root = ctx.find_root()
    files: list[EnvFile] = root.meta.setdefault(_FILES, [])
    files += map(scan_env_file, paths)
    root.obj = merge((file.values for file in files), os.environ)
