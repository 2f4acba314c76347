"""Standard output that can't be written: said once, whatever printed, and then quiet. Standard error: never a word."""

import os
import select
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.doubles.dead_ends import disk_full, nobody_reads

ROOT = Path(__file__).parents[1]
PRINTING = """
import sys
import click
from router.output import OutputError, guard
guard()
sys.stdin.read()
for size in (int(sys.argv[1]), 1):
    try:
        click.echo("x" * size)
        click.echo(b"x" * size)
    except (OutputError, BrokenPipeError) as error:
        click.echo(f"{type(error).__name__}: {error}", err=True)
sys.stdout.write("left in the buffer")
sys.exit(7)
"""


def printing(out: int, size: int, *ends: int) -> tuple[int, str]:
    """Exit status and standard error of a program that prints twice. ends: closed once it has started."""
    with subprocess.Popen(
        [sys.executable, "-c", PRINTING, str(size)],
        stdin=subprocess.PIPE,
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        for end in (out, *ends):
            os.close(end)
        _, errors = process.communicate(timeout=60)
    return process.returncode, errors


@pytest.mark.parametrize("size", [1, 100_000])
def test_a_full_disk_is_said_once_and_the_end_is_quiet(size: int) -> None:
    status, errors = printing(disk_full(), size)
    assert (status, errors) == (7, "OutputError: can't write the output: No space left on device\n")


@pytest.mark.parametrize("size", [1, 100_000])
def test_when_nobody_reads_any_more_it_is_said_once_and_the_end_is_quiet(size: int) -> None:
    reading, writing = os.pipe()
    status, errors = printing(writing, size, reading)
    assert (status, errors) == (7, "BrokenPipeError: [Errno 32] Broken pipe\n")


def test_what_can_be_written_is(tmp_path: Path) -> None:
    path = tmp_path / "out"
    assert printing(os.open(path, os.O_WRONLY | os.O_CREAT), 3) == (7, "")
    assert path.read_text() == "xxx\nxxx\nx\nx\nleft in the buffer"


TELLING = """
import sys
from router.output import guard
guard()
for _ in range(3):
    print("x" * int(sys.argv[1]), file=sys.stderr)
sys.stderr.write("left in the buffer")
sys.exit(7)
"""


@pytest.mark.parametrize("size", [1, 100_000])
@pytest.mark.parametrize("end", [nobody_reads, disk_full])
def test_what_is_told_to_nobody_harms_nothing(size: int, end: Callable[[], int]) -> None:
    errors = end()
    command = [sys.executable, "-c", TELLING, str(size)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, timeout=60, cwd=ROOT, check=False)
    os.close(errors)
    assert (done.returncode, done.stdout) == (7, b"")


def full_pipe() -> tuple[int, int]:
    """Both ends; the writing one doesn't block, and takes nothing any more."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    return reading, writing


def test_what_takes_nothing_now_and_would_not_block_is_as_good_as_full() -> None:
    reading, writing = full_pipe()
    status, errors = printing(writing, 1)
    assert (status, errors) == (7, "OutputError: can't write the output: Resource temporarily unavailable\n")
    reading2, writing = full_pipe()
    command = [sys.executable, "-c", TELLING, "1"]
    assert subprocess.run(command, stderr=writing, timeout=60, cwd=ROOT, check=False).returncode == 7
    for end in (reading, reading2, writing):
        os.close(end)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_line_that_is_told_is_there_at_once(unbuffered: str) -> None:
    code = "import sys; from router.output import guard; guard(); print('told', file=sys.stderr); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
    ) as process:
        assert process.stderr is not None
        assert select.select([process.stderr], [], [], 30)[0]
        assert process.stderr.readline() == b"told\n"


def test_what_can_be_told_is(tmp_path: Path) -> None:
    path = tmp_path / "err"
    with path.open("wb") as errors:
        subprocess.run([sys.executable, "-c", TELLING, "2"], stderr=errors, timeout=60, cwd=ROOT, check=False)
    assert path.read_text() == "xx\nxx\nxx\nleft in the buffer"


def test_without_a_standard_output_there_is_nothing_to_guard() -> None:
    code = "from router.output import guard; guard(); import sys; assert sys.stdout is sys.stderr is None"
    command = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", sys.executable, "-c", code]
    assert subprocess.run(command, timeout=60, cwd=ROOT, check=False).returncode == 0
