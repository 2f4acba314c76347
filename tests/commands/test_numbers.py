"""Numbers on the command line."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from router.cli import cli
from router.commands.numbers import Number


def commands(group: click.Group, ctx: click.Context) -> Iterator[click.Command]:
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        yield command
        if isinstance(command, click.Group):
            yield from commands(command, ctx)


def test_every_option_that_takes_a_number_with_a_fraction_refuses_what_is_none() -> None:
    every = [param for command in commands(cli, click.Context(cli)) for param in command.params]
    loose = [param.name for param in every if isinstance(param.type, click.types.FloatParamType)]
    assert [param.name for param in every if isinstance(param.type, Number)] == loose
    assert len(loose) >= 7


@pytest.mark.parametrize("text", ["nan", "-nan", "inf", "Infinity", "1e999"])
@pytest.mark.parametrize(
    "args", [("check", "--timeout"), ("send", "--rate"), ("simulate", "--compress"), ("listen", "--timeout")]
)
def test_what_is_no_finite_number_is_refused_with_the_option(args: tuple[str, ...], text: str) -> None:
    result = CliRunner().invoke(cli, [*args, text])
    assert result.exit_code == 2
    assert f"Invalid value for '{args[1]}': {float(text)} is not " in result.stderr


def test_the_range_holds_and_is_shown() -> None:
    number = Number(min=0.1, max=600)
    assert number.convert("0.1", None, None) == 0.1
    with pytest.raises(click.BadParameter, match=r"-1\.0 is not in the range 0\.1<=x<=600"):
        number.convert("-1", None, None)
