"""The four programs of examples/sdk, built once and kept under build/interop by what they are made of.

`python -m tests.interop.build --prepare` builds what is missing; after that nothing here needs the network.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.doubles.making import key_of, made_once
from tests.interop.toolchains import InteropError, environ, versions

__all__ = ["SDKS", "Built", "InteropError", "built", "prepare"]

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "examples" / "sdk"
CACHE = ROOT / "build" / "interop"
PATIENCE = 1200.0
"""Seconds for one step on a machine that has other things to do, with the registries far away."""


class Built(NamedTuple):
    """A program that can be started: `command` and the mode, with `environ` added to the environment."""

    command: tuple[str, ...]
    environ: dict[str, str]


class _Kind(NamedTuple):
    tools: tuple[str, ...]
    make: Callable[[Path], None]
    start: Callable[[Path], Built]


def built(sdk: str) -> Built:
    """The program of that SDK, built now if it isn't yet. Raises InteropError."""
    kind, source = _KINDS[sdk], SOURCES / sdk
    said = versions()
    files = sorted(path for path in source.iterdir() if path.is_file())
    texts = (f"{path.name}\n{path.read_text('utf-8')}" for path in files)
    folder = CACHE / f"{sdk}-{key_of(*texts, *(said[tool] for tool in kind.tools))}"

    def make(target: Path) -> None:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("node_modules", "target", "__pycache__"))
        kind.make(target)

    return kind.start(made_once(folder, make))


def prepare() -> None:
    """Build all four, side by side: two wait for the network while one compiles. Raises InteropError."""
    versions()
    with ThreadPoolExecutor(len(SDKS)) as pool:
        for _ in pool.map(built, SDKS):
            pass


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, env=environ(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise InteropError(f"{' '.join(command)}: no end after {PATIENCE:.0f} s") from error
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-20:])
        raise InteropError(f"{' '.join(command)} (in {folder}) failed:\n{tail}")


def _make_go(folder: Path) -> None:
    _run(["go", "build", "-o", "bot", "."], folder)


def _make_python(folder: Path) -> None:
    # Not a virtual environment: that could not be moved to its place.
    options = ["--disable-pip-version-check", "--quiet", "--require-hashes", "--target", "packages"]
    _run([sys.executable, "-m", "pip", "install", *options, "-r", "requirements.lock"], folder)


def _make_java(folder: Path) -> None:
    _run(["mvn", "-B", "-q", "compile", "dependency:copy-dependencies", "-DincludeScope=runtime"], folder)


def _make_node(folder: Path) -> None:
    _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)


def _start_go(folder: Path) -> Built:
    return Built((str(folder / "bot"),), {})


def _start_python(folder: Path) -> Built:
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    return Built((str(base), "-s", str(folder / "bot.py")), {"PYTHONPATH": str(folder / "packages")})


def _start_java(folder: Path) -> Built:
    small = ("-Xms32m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
    return Built(("java", *small, "-cp", f"{folder}/target/classes:{folder}/target/dependency/*", "Bot"), {})


def _start_node(folder: Path) -> Built:
    return Built(("node", str(folder / "bot.mjs")), {})


_KINDS = {
    "go": _Kind(("go",), _make_go, _start_go),
    "python": _Kind(("python",), _make_python, _start_python),
    "java": _Kind(("java", "javac", "mvn"), _make_java, _start_java),
    "node": _Kind(("node", "npm"), _make_node, _start_node),
}
SDKS = tuple(_KINDS)


def main() -> None:
    """Build, or say why not."""
    parser = argparse.ArgumentParser(description="Programs written with Feishu's SDKs, for the tests.")
    parser.add_argument("--prepare", action="store_true", required=True, help="build what isn't built yet")
    parser.parse_args()
    try:
        prepare()
    except InteropError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
