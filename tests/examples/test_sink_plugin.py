"""The example plug-in, built and installed as its users would, away from the tree."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/sink_plugin"
CHECK = (
    "from sinks.registry import find, names; import event_router_sqlite\n"
    "assert 'sqlite' in names(); assert find('sqlite') is event_router_sqlite.SINK\n"
    "print(event_router_sqlite.__file__)"
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plug-in in it, made by pip without a network."""
    target = tmp_path_factory.mktemp("installed")
    options = [
        "--quiet",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "--disable-pip-version-check",
        "--no-cache-dir",
    ]
    run([sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(EXAMPLE)])
    return target


def run(command: list[str], **environment: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_router_finds_it_by_its_entry_point(installed: Path) -> None:
    where = run([sys.executable, "-c", CHECK], PYTHONPATH=str(installed))
    assert Path(where.strip()) == installed / "event_router_sqlite.py"


def test_it_passes_the_conformance_suite(installed: Path) -> None:
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-c", "pyproject.toml"]
    said = run(
        [sys.executable, "-m", "pytest", *options, str(EXAMPLE / "test_contract.py")],
        PYTHONPATH=str(installed),
        PYTEST_ADDOPTS="",
    )
    assert "passed" in said
    assert "skipped" not in said


def test_the_router_takes_its_settings_from_the_environment(installed: Path, tmp_path: Path) -> None:
    said = run(
        [sys.executable, "-m", "router", "check", "--connect"],
        PYTHONPATH=str(installed),
        FER_DATA_DIR=str(tmp_path),
        FER_SINKS="db",
        FER_SINK__DB__TYPE="sqlite",
        FER_SINK__DB__PATH=str(tmp_path / "events.db"),
    )
    assert f"SQLite {tmp_path}/events.db, table events" in said
    assert (tmp_path / "events.db").exists()


def test_it_stays_small_enough_to_learn_from() -> None:
    lines = (EXAMPLE / "event_router_sqlite.py").read_text().splitlines()
    assert len([line for line in lines if line.strip() and not line.strip().startswith(("#", '"""'))]) < 120
