"""One module for each command of `feishu-event-router`, each with a click command named `command`."""

import os
from collections.abc import Mapping

import click


def environ_of(ctx: click.Context) -> Mapping[str, str]:
    """The variables in force: the process's own, over those of `--env-file`. Every command reads its settings from these."""
    environ: Mapping[str, str] | None = ctx.find_root().obj
    return os.environ if environ is None else environ
