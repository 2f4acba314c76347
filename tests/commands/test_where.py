"""Where commands look for the router, and with which token."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.routers import Running, call, running
from tests.doubles.operators import MemoryOperators, row

TOKEN = "s3cr3t-t0ken"


def sinks(router: Running, *args: str, **environ: str) -> tuple[int, str]:
    result = router.call("sinks", "list", *args, **environ)
    assert TOKEN not in result.output
    return result.exit_code, result.stderr


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "0.0.0.0:0"])
def test_beside_the_router_no_token_is_needed(tmp_path: Path, listen: str) -> None:
    for token in ("", TOKEN):
        with running(MemoryOperators({"iam": row("iam")}), tmp_path, listen, token) as router:
            assert sinks(router) == (0, "")


def test_an_env_file_says_where(tmp_path: Path) -> None:
    with running(MemoryOperators({"iam": row("iam")}), tmp_path) as router:
        file = tmp_path / "router.env"
        file.write_text("".join(f"{name}={value}\n" for name, value in router.environ.items()))
        assert call("sinks", "list", "--env-file", str(file)).exit_code == 0
        assert call("--env-file", str(file), "sinks", "list").exit_code == 0


def test_over_the_port_with_the_token_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    with running(MemoryOperators({"iam": row("iam")}), tmp_path, "0.0.0.0:0", TOKEN, beside=False) as router:
        assert sinks(router, FER_ADMIN__TOKEN=TOKEN) == (0, "")
        assert sinks(router, FER_ADMIN__TOKEN_FILE=str(file)) == (0, "")
        assert sinks(router, "--token-file", str(file)) == (0, "")
        status, said = sinks(router)
        assert (status, "wants its token: set FER_ADMIN__TOKEN_FILE" in said) == (1, True)
        status, said = sinks(router, FER_ADMIN__TOKEN="another")
        assert (status, "has another token than the one given" in said) == (1, True)


def test_of_another_machine_only_the_token_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with running(MemoryOperators({"iam": row("iam")}), tmp_path, token=TOKEN, beside=False) as router:
        there = ["sinks", "list", "--admin", f"http://{router.environ['FER_ADMIN__LISTEN']}/"]
        assert call(*there, FER_SINKS="nonsense", FER_ADMIN__TOKEN=TOKEN).exit_code == 0
        assert call(*there, "--token-file", str(tmp_path / "token")).exit_code == 0
        assert call(*there, FER_ADMIN__TOKEN_FILE=str(tmp_path / "token")).exit_code == 0
        assert call(*there).exit_code == 1


def test_beyond_loopback_without_a_token_it_says_what_to_do(tmp_path: Path) -> None:
    with running(MemoryOperators({"iam": row("iam")}), tmp_path, "0.0.0.0:0", beside=False) as router:
        status, said = sinks(router)
        assert status == 1
        assert "this needs FER_ADMIN__TOKEN_FILE to be set" in said
        assert "kubectl exec" in said


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:9464", "ftp://x", "http://", "http://x:99999", "http://x/metrics", "http://u:p@x", "http://x?a=b"],
)
def test_addresses_that_are_none(url: str) -> None:
    result = call("sinks", "list", "--admin", url)
    assert (result.exit_code, "--admin" in result.stderr) == (2, True)


@pytest.mark.parametrize("content", ["", "two words", "é"])
def test_token_files_that_hold_none(tmp_path: Path, content: str) -> None:
    file = tmp_path / "token"
    file.write_text(content)
    result = call("sinks", "list", "--admin", "http://127.0.0.1:1", "--token-file", str(file))
    assert result.exit_code == 2
    missing = call("sinks", "list", "--admin", "http://127.0.0.1:1", "--token-file", str(tmp_path / "none"))
    assert (missing.exit_code, "there is no file" in missing.stderr) == (2, True)


def test_changing_commands_need_a_router(tmp_path: Path) -> None:
    environ = {"FER_DATA_DIR": str(tmp_path), "FER_ADMIN__LISTEN": "127.0.0.1:1"}
    for args in (["sinks", "pause", "iam"], ["dead-letters", "purge", "1", "--yes"], ["replays", "list"]):
        result = call(*args, **environ)
        assert result.exit_code == 1
        assert "no router answers at http://127.0.0.1:1. Start the router, or say with --admin" in result.stderr
    result = call("sinks", "pause", "iam", **environ | {"FER_ADMIN__LISTEN": "off"})
    assert (result.exit_code, "FER_ADMIN__LISTEN is off" in result.stderr) == (1, True)


def test_a_socket_that_a_crash_left_is_passed_by(tmp_path: Path) -> None:
    with running(MemoryOperators({"iam": row("iam")}), tmp_path, beside=False) as router:
        left = tmp_path / "admin.sock"
        code = f"import socket; socket.socket(socket.AF_UNIX).bind({str(left)!r})"
        subprocess.run(["python3", "-c", code], check=True, timeout=30)
        assert left.exists()
        assert sinks(router) == (0, "")


def test_faults_in_the_settings_end_it_where_no_router_is(tmp_path: Path) -> None:
    spoilt = {"FER_SINKS": "a", "FER_DATA_DIR": str(tmp_path), "FER_ADMIN__LISTEN": "127.0.0.1:1"}
    assert call("sinks", "list", **spoilt).exit_code == 2
    assert call("sinks", "pause", "a", **spoilt).exit_code == 2


def test_a_spoilt_secret_keeps_nobody_from_asking_the_router_that_runs(tmp_path: Path) -> None:
    (tmp_path / "keys").touch()
    spoilt = {"FER_APP__ENCRYPT_KEY_FILE": str(tmp_path / "keys"), "FER_SINK__IAM__TYPE": "nonsense"}
    with running(MemoryOperators({"iam": row("iam")}), tmp_path) as router:
        assert sinks(router, **spoilt) == (0, "")
        assert sinks(router, FER_DATA_DIR_FILE=str(tmp_path / "keys"), FER_DATA_DIR="", **spoilt)[0] == 2
        assert sinks(router, FER_ADMIN__LISTEN="nowhere", **spoilt)[0] == 2


def test_names_of_sinks_are_completed(tmp_path: Path) -> None:
    environ = {
        "FER_SINKS": "iam,bus",
        "FER_SINK__IAM__TYPE": "stdout",
        "FER_SINK__BUS__TYPE": "stdout",
        "COMP_WORDS": "feishu-event-router sinks pause i",
        "COMP_CWORD": "3",
        "_FEISHU_EVENT_ROUTER_COMPLETE": "bash_complete",
        "PATH": os.environ["PATH"],
    }
    program = Path(sys.executable).with_name("feishu-event-router")
    done = subprocess.run([program], env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "plain,iam\n"
    faulty = environ | {"FER_SINK__IAM__TYPE": "nonsense"}
    done = subprocess.run([program], env=faulty, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.stderr) == ("", "")
