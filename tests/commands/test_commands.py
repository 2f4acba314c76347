import os

import click

from router.cli import cli
from router.commands import environ_of


def test_commands_read_the_variables_in_force() -> None:
    ctx = click.Context(cli)
    assert environ_of(ctx) is os.environ
    ctx.obj = {"FER_LISTEN": "x"}
    assert environ_of(click.Context(cli, parent=ctx)) == {"FER_LISTEN": "x"}
