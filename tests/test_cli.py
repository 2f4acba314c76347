"""The program as a shell sees it: exit statuses, streams, help."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from router.cli import COMMANDS, PROGRAM, cli
from tests.commands.terminals import Terminal

ROOT = Path(__file__).parents[1]


def call(*args: str, env: dict[str, str] | None = None) -> Result:
    clean: dict[str, str | None] = {name: None for name in os.environ if name.startswith("FER_")}
    return CliRunner().invoke(cli, args, prog_name=PROGRAM, env={**clean, **(env or {})})


def process(*args: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FER_")}
    return subprocess.run(
        [sys.executable, "-m", "router", *args],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=ROOT,
        env={**clean, **(env or {})},
        check=False,
    )


def test_help_lists_every_command_without_importing_any() -> None:
    code = (
        "import sys; sys.argv = ['x', '--help']; from router.cli import cli; cli.main(['--help'], standalone_mode=False); "
        "print([m for m in sys.modules if m.startswith('router.commands.') or m in ('aiohttp', 'aiokafka', 'router.app')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, cwd=ROOT, check=True
    )
    assert done.stdout.rstrip().endswith("[]")
    for name, help_ in COMMANDS.items():
        assert name in done.stdout
        assert help_.split()[0] in done.stdout


@pytest.mark.parametrize("name", list(COMMANDS))
def test_each_command_has_a_help(name: str) -> None:
    result = call(name, "--help")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: {PROGRAM} {name} ")
    assert len(result.output.splitlines()) > 6


def test_version() -> None:
    result = call("--version")
    assert result.exit_code == 0
    assert result.output.startswith(f"{PROGRAM}, version ")


def test_unknown_command_suggests_the_nearest() -> None:
    result = call("chek")
    assert result.exit_code == 2
    assert "did you mean check?" in result.stderr
    assert "The commands are run, check" in call("zzzz").stderr


def test_faults_go_to_standard_error_all_of_them_with_status_2() -> None:
    done = process("check", env={"FER_LISTN": "x", "FER_LOG__LEVEL": "loud", "FER_APP__ENCRYPT_KEY_FILE": "/nowhere"})
    assert (done.returncode, done.stdout) == (2, "")
    assert "3 faults" in done.stderr
    assert "FER_LISTN: is not a setting (did you mean FER_LISTEN?)" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("environ", "coloured"), [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False)])
@pytest.mark.parametrize("args", [("check", "--env-file", "x.env"), ("--env-file", "x.env", "check"), ("check",)])
def test_colours_are_for_a_terminal_and_for_who_wants_them(
    tmp_path: Path, args: tuple[str, ...], environ: dict[str, str], *, coloured: bool
) -> None:
    (tmp_path / "x.env").write_text("no setting\n")
    args = tuple(str(tmp_path / arg) if arg == "x.env" else arg for arg in args)
    with Terminal({"FER_LISTN": "x", **environ}, *args) as terminal:
        assert terminal.end() == 2
    assert ("\x1b[1mFER_LISTN\x1b[0m: " in terminal.seen) is coloured
    assert ("\x1b" in terminal.seen) is coloured


def test_env_file_and_the_real_environment_over_it(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("FER_LISTEN=127.0.0.1:1\nexport FER_DATA_DIR='/srv/x'\n")
    (tmp_path / "b.env").write_text("FER_LISTEN=127.0.0.1:2\n")
    files = ["--env-file", str(tmp_path / "a.env"), "--env-file", str(tmp_path / "b.env")]
    assert "127.0.0.1:2" in call(*files, "check").output
    shown = call(*files, "check", env={"FER_LISTEN": "127.0.0.1:3"}).output
    assert "127.0.0.1:3" in shown
    assert "/srv/x" in shown


def test_env_files_before_and_after_the_command(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("FER_LISTEN=127.0.0.1:1\nFER_DATA_DIR=/a\n")
    (tmp_path / "b.env").write_text("FER_LISTEN=127.0.0.1:2\n")
    result = call("--env-file", str(tmp_path / "a.env"), "check", "--env-file", str(tmp_path / "b.env"))
    assert result.exit_code == 0, result.output
    assert "127.0.0.1:2" in result.output
    assert "/a" in result.output


def test_env_file_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("FER_APP__ENCRYPT_KEY: s3cr3t\n")
    result = call("--env-file", str(tmp_path / "a.env"), "check")
    assert result.exit_code == 2
    assert "line 1: is not KEY=VALUE" in result.stderr
    assert "s3cr3t" not in result.output
    missing = call("--env-file", str(tmp_path / "none.env"), "check")
    assert (missing.exit_code, "No such file" in missing.stderr) == (2, True)


def test_faults_as_json() -> None:
    done = process("check", "--json", env={"FER_LISTN": "x"})
    assert done.returncode == 2
    assert json.loads(done.stdout)["faults"][0]["variable"] == "FER_LISTN"


def test_interrupt_is_clean() -> None:
    code = (
        "import click, time, router.cli as c\n"
        "@click.command()\n"
        "def command():\n"
        "    print('ready', flush=True)\n"
        "    for _ in range(300): time.sleep(0.1)\n"
        "c.COMMANDS['wait'] = 'x'\n"
        "c.Commands.get_command = lambda *a: command\n"
        "c.main(['wait'])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
    assert child.returncode == 130
    assert errors.strip() == "Interrupted."


def test_reader_that_goes_away_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "router", "check"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=30, cwd=ROOT, check=False)
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode == 1


@pytest.mark.parametrize(
    "args", [["check"], ["check", "--json"], ["--help"], ["completion", "bash"], ["simulate", "--list-faults"]]
)
def test_output_that_cannot_be_written_is_one_line_and_status_1(args: list[str]) -> None:
    command = [sys.executable, "-m", "router", *args]
    with Path("/dev/full").open("wb", buffering=0) as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30, cwd=ROOT, check=False
        )
    assert (done.returncode, done.stderr) == (1, "Error: can't write the output: No space left on device\n")
