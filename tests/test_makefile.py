"""The Makefile's promises that can be seen without running everything."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def make(*arguments: str) -> list[str]:
    command = ["make", "--no-print-directory", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout.splitlines()


def targets() -> list[str]:
    match = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert match
    return match[1].split()


def test_make_alone_lists_every_target() -> None:
    assert [line.split()[1] for line in make()] == targets()


@pytest.mark.parametrize("target", targets())
def test_every_script_of_a_target_is_there(target: str) -> None:
    for line in make("--dry-run", target):
        for script in re.findall(r"scripts/[a-z-]+\.sh", line):
            assert (ROOT / script).is_file()


def test_run_hands_signals_and_arguments_on() -> None:
    assert make("--dry-run", "run", "ARGS=--env-file my.env")[-1] == (
        "exec .venv/bin/feishu-event-router run --env-file my.env"
    )


def test_everything_is_checked_and_pytest_speaks_last() -> None:
    commands = make("--dry-run", "test")
    text = "\n".join(commands)
    for step in ("scripts/setup.sh", "scripts/setup-test.sh", "ruff format --check", "ruff check", "mypy"):
        assert step in text
    assert commands[-1].startswith("exec .venv/bin/python -m pytest")
