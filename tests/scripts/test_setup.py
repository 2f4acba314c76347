"""`scripts/setup.sh` and `setup-test.sh` on machines that lack something: a folder of commands stands for the machine."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("sh", "cat", "cksum", "dirname", "mktemp", "rm", "tail", "mkdir", "touch", "chmod", "sed", "env", "cp", "grep")
PYTHON = f"""#!/bin/sh
# Answers like a Python {{version}}; makes virtual environments that are this script again.
here=$(dirname "$0")
case "$*" in
    *version_info*"3, 11"*) exit {{too_old}} ;;
    *ensurepip*) test -e "$VENV_MODULE" ;;
    *python_version*) echo {{version}} ;;
    *version_info*) echo python3.11-venv ;;
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip --version") test ! -e "$BREAK_PIP" ;;
    "-m pip "*) echo "pip $*" >>"$CALLS"; test ! -e "$FAIL_PIP" ;;
    "-m compileall "*) ;;
    *) exec {sys.executable} "$@" ;;
esac
"""


@dataclass
class Machine:
    """A clone of the project's setup files on a machine with few commands."""

    root: Path
    clone: Path

    def flag(self, name: str) -> Path:
        return self.root / name

    def command(self, name: str, text: str) -> None:
        path = self.root / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def python(self, name: str = "python3", version: str = "3.11.2", *, too_old: int = 0) -> None:
        self.command(name, PYTHON.format(version=version, too_old=too_old))

    def setup(self, python: str = "", script: str = "setup.sh") -> subprocess.CompletedProcess[str]:
        flags = {name: str(self.flag(name)) for name in ("VENV_MODULE", "BREAK_PIP", "FAIL_PIP", "CALLS")}
        return subprocess.run(
            ["/bin/sh", f"scripts/{script}", python],
            cwd=self.clone, env={"PATH": str(self.root / "bin")} | flags,
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip

    def calls(self) -> list[str]:
        log = self.flag("CALLS")
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path, tmp_path / "clone")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, f"{tool} is needed"
        (tmp_path / "bin" / tool).symlink_to(found)
    machine.command("id", "#!/bin/sh\necho 1000\n")
    machine.flag("VENV_MODULE").touch()
    machine.clone.mkdir()
    shutil.copytree(ROOT / "scripts", machine.clone / "scripts")
    for name in ("requirements.lock", "pyproject.toml"):
        (machine.clone / name).write_text("one")
    return machine


def test_no_python_is_said_in_one_breath(machine: Machine) -> None:
    done = machine.setup()
    assert done.returncode == 1
    assert "Python 3.11 or later is needed; python3 is not there" in done.stderr
    assert "make setup PYTHON=" in done.stderr


def test_an_old_python_is_named(machine: Machine) -> None:
    machine.python(version="3.9.2", too_old=1)
    done = machine.setup()
    assert done.returncode == 1
    assert "python3 is 3.9.2" in done.stderr


def test_a_newer_python_beside_the_old_one_is_found(machine: Machine) -> None:
    machine.python(version="3.9.2", too_old=1)
    machine.python("python3.12", version="3.12.1")
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert "with Python 3.12.1" in done.stderr


def test_a_missing_venv_module_is_named_where_it_may_not_be_installed(machine: Machine) -> None:
    machine.flag("VENV_MODULE").unlink()
    machine.python()
    done = machine.setup()
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("apt-get install python3.11-venv")


def test_a_missing_venv_module_is_installed_with_passwordless_sudo(machine: Machine) -> None:
    machine.flag("VENV_MODULE").unlink()
    machine.python()
    machine.command("sudo", '#!/bin/sh\n[ "$1" = -n ] && shift && exec "$@"\n')
    machine.command("true", "#!/bin/sh\n")
    machine.command("apt-get", '#!/bin/sh\necho "apt-get $*" >>"$CALLS"; [ "$1" = update ] || touch "$VENV_MODULE"\n')
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert machine.calls()[:2] == [
        "apt-get update",
        "apt-get install -y --no-install-recommends python3.11-venv",
    ]


def test_a_failing_apt_get_says_what_to_do_by_hand(machine: Machine) -> None:
    machine.flag("VENV_MODULE").unlink()
    machine.python()
    machine.command("id", "#!/bin/sh\necho 0\n")
    machine.command("apt-get", "#!/bin/sh\necho no network; exit 100\n")
    done = machine.setup()
    assert done.returncode == 1
    assert "no network" in done.stderr
    assert "apt-get update && apt-get install python3.11-venv" in done.stderr


def test_dependencies_are_locked_and_the_second_time_is_silent(machine: Machine) -> None:
    machine.python()
    assert machine.setup().returncode == 0
    installs = machine.calls()
    assert ["--require-hashes -r requirements.lock" in call for call in installs] == [True, False]
    again = machine.setup()
    assert (again.returncode, again.stderr) == (0, "")
    assert machine.calls() == installs


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_a_changed_lock_is_installed(machine: Machine, name: str) -> None:
    machine.python()
    machine.setup()
    (machine.clone / name).write_text("two")
    assert "ready" in machine.setup().stderr
    assert len(machine.calls()) == 4


def test_an_interrupted_setup_is_repeated(machine: Machine) -> None:
    machine.python()
    machine.flag("FAIL_PIP").touch()
    assert machine.setup().returncode != 0
    machine.flag("FAIL_PIP").unlink()
    assert "ready" in machine.setup().stderr


def test_a_half_made_environment_is_made_anew(machine: Machine) -> None:
    machine.python()
    machine.setup()
    (machine.clone / ".venv/.ready").unlink()
    (machine.clone / ".venv/bin/left-over").touch()
    machine.flag("BREAK_PIP").touch()
    assert "making .venv" in machine.setup().stderr
    assert not (machine.clone / ".venv/bin/left-over").exists()


def test_a_moved_clone_gets_a_new_environment(machine: Machine) -> None:
    machine.python()
    machine.setup()
    machine.clone = machine.clone.rename(machine.root / "moved")
    assert "making .venv" in machine.setup().stderr
    assert machine.setup().stderr == ""


def test_another_python_makes_another_environment(machine: Machine) -> None:
    machine.python()
    machine.python("python3.13", version="3.13.0")
    machine.setup()
    assert "with Python 3.13.0" in machine.setup("python3.13").stderr
    assert machine.setup("python3.13").stderr == ""
    assert machine.setup().stderr == ""


def test_a_runtime_of_java_without_its_compiler_is_not_enough_for_the_tests(machine: Machine) -> None:
    for tool in ("java", "mvn", "go", "node", "npm", "strace", "buildah", "debootstrap"):
        machine.command(tool, "#!/bin/sh\necho 'openjdk version \"17.0.1\"' >&2\n")
    done = machine.setup(script="setup-test.sh")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(": apt-get install openjdk-17-jdk-headless")


def test_everything_that_the_tests_need_is_asked_for_at_once(machine: Machine) -> None:
    done = machine.setup(script="setup-test.sh")
    assert done.stderr.splitlines()[-1].endswith(
        ": apt-get install openjdk-17-jdk-headless maven golang-go nodejs npm strace buildah debootstrap"
    )


def test_broker_and_programs_are_prepared_where_all_is_there(machine: Machine) -> None:
    for tool in ("java", "mvn", "go", "node", "npm", "strace", "buildah", "debootstrap"):
        machine.command(tool, "#!/bin/sh\n")
    machine.command("javac", "#!/bin/sh\necho javac 21.0.2\n")
    python = machine.clone / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$*" >>"$CALLS"\n')
    python.chmod(0o755)
    assert machine.setup(script="setup-test.sh").returncode == 0
    assert machine.calls() == ["-m tests.broker.cluster --prepare", "-m tests.interop.build --prepare"]
