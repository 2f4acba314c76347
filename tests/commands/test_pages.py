"""Commands that the docs and --help show are ones that there are."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from router.cli import COMMANDS, PROGRAM, cli

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])


def lines_of(text: str) -> list[str]:
    """What follows the program's name, up to a comment, a pipe or the end of the code."""
    found = re.findall(rf"^.*?(?:^|[\s`]){PROGRAM} ([a-z][^\n`|#]*)", text, re.MULTILINE)
    return [line for line in found if line.split()[0] in COMMANDS]


def helps(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Every command with its help."""
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        yield " ".join([*words, name]), command.help or ""
        if isinstance(command, click.Group):
            yield from helps(command, (*words, name))


EXAMPLES = sorted({line.strip() for page in PAGES for line in lines_of(page.read_text())})
EXAMPLES += sorted({line.strip() for _, text in helps(cli) for line in lines_of(text)})


def parse(command: click.Command, args: list[str], parent: click.Context | None = None) -> None:
    """Take the options as the command would, and go no further."""
    ctx = command.make_context(command.name, args, parent)
    if isinstance(command, click.Group):
        rest = [*ctx._protected_args, *ctx.args]
        name, inner, left = command.resolve_command(ctx, rest)
        assert inner is not None, name
        parse(inner, left, ctx)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 40
    for words in ("dead-letters replay", "sinks forget", "replay --sink", "replays stop"):
        assert any(line.startswith(words) for line in EXAMPLES), words


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_is_taken(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for option, name in re.findall(r"--(\S+)-file (\S+)", line):
        (tmp_path / name).write_text("" if option == "env" else "a secret")
    parse(cli, shlex.split(line))
