"""One module for each command of `feishu-event-router`, each with a click command named `command`."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import click

from router.settings.envfile import merge, read_env_file

Decorated = TypeVar("Decorated", bound=Callable[..., object])
_FILES = "feishu-event-router.env-files"


def environ_of(ctx: click.Context) -> Mapping[str, str]:
    """The variables in force: the process's own, over those of `--env-file`. Every command reads its settings from these."""
    environ: Mapping[str, str] | None = ctx.find_root().obj
    return os.environ if environ is None else environ


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
    files: list[Path] = root.meta.setdefault(_FILES, [])
    files += paths
    root.obj = merge(map(read_env_file, files), os.environ)
