import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from router.cli import PROGRAM, cli

SCRIPTS = Path(sys.executable).parent


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_and_how_to_install_it(shell: str) -> None:
    result = CliRunner().invoke(cli, ["completion", shell], prog_name=PROGRAM)
    assert result.exit_code == 0, result.output
    assert "_FEISHU_EVENT_ROUTER_COMPLETE" in result.output
    assert f"# To install this, write it to a file:\n#   {PROGRAM} completion {shell} > ~/" in result.output


def test_bash_completes_commands_with_the_installed_program() -> None:
    script = f"""
        eval "$({PROGRAM} completion bash)"
        COMP_WORDS=({PROGRAM} ch) COMP_CWORD=1
        _feishu_event_router_completion {PROGRAM} ch {PROGRAM}
        echo "${{COMPREPLY[@]}}"
    """
    path = f"{SCRIPTS}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=30, check=True, env={**os.environ, "PATH": path}
    )
    assert done.stdout.split() == ["check"]


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("dead-letters re", "plain,replay"),
        ("sinks ", "plain,forget plain,list plain,pause plain,resume"),
        ("dead-letters purge --y", "plain,--yes"),
        ("replays s", "plain,stop"),
        ("listen --clo", "plain,--cloudevents"),
    ],
)
def test_commands_within_commands_are_completed(words: str, completed: str) -> None:
    typed = words.split(" ")
    environ = {
        "_FEISHU_EVENT_ROUTER_COMPLETE": "bash_complete",
        "COMP_WORDS": f"{PROGRAM} {words}",
        "COMP_CWORD": str(len(typed)),
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run([SCRIPTS / PROGRAM], env=environ, capture_output=True, text=True, timeout=60, check=True)
    assert sorted(done.stdout.split()) == completed.split()


def test_unknown_shell() -> None:
    assert CliRunner().invoke(cli, ["completion", "tcsh"]).exit_code == 2
