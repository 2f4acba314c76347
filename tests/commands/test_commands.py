import os
from pathlib import Path

import click
import orjson
from click.testing import CliRunner

from router.cli import cli
from router.commands import environ_of


def test_commands_read_the_variables_in_force() -> None:
    ctx = click.Context(cli)
    assert environ_of(ctx) is os.environ
    ctx.obj = {"FER_LISTEN": "x"}
    assert environ_of(click.Context(cli, parent=ctx)) == {"FER_LISTEN": "x"}


def test_a_bad_line_in_an_env_file_hides_no_other_fault(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("FER_LOG__LEVEL=loud\nFER_SINKS 'a'\nFER_SINK__A__TYPE=http\n")
    (tmp_path / "b.env").write_text("FER_LISTN=x\nsecret: 'words\n")
    files = ["--env-file", str(tmp_path / "a.env"), "check", "--env-file", str(tmp_path / "b.env")]
    done = CliRunner().invoke(cli, [*files, "--json"])
    assert done.exit_code == 2
    names = [fault["variable"] for fault in orjson.loads(done.stdout)["faults"]]
    assert names == [f"{tmp_path}/a.env line 2", f"{tmp_path}/b.env line 2", "FER_LISTN", "FER_LOG__LEVEL"]
    assert "words" not in done.output
    assert all(name in CliRunner().invoke(cli, files).stderr for name in names)
