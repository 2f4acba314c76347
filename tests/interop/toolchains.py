"""The toolchains that the programs written with Feishu's four SDKs need: found, and new enough, or said what to install."""

import os
import re
import shutil
import subprocess
import sys
from typing import NamedTuple


class InteropError(Exception):
    """The programs can't be built or run; the text says what to install or shows the tool's last words."""


class Tool(NamedTuple):
    """A command. least: the oldest version that does. install: where it comes from, in words."""

    name: str
    question: str
    least: tuple[int, int]
    install: str


TOOLS = (
    Tool("go", "version", (1, 19), "Go 1.19 or later: package golang-go, or go.dev/dl"),
    Tool("java", "-version", (17, 0), "Java 17 or later: package openjdk-17-jdk-headless"),
    Tool("javac", "-version", (17, 0), "a JDK, a JRE has no compiler: package openjdk-17-jdk-headless"),
    Tool("mvn", "-version", (3, 6), "Maven 3.6 or later: package maven"),
    Tool("node", "--version", (18, 0), "Node.js 18 or later: package nodejs"),
    Tool("npm", "--version", (8, 0), "npm 8 or later: package npm (Node's own distribution brings it along)"),
)
_ENVIRON = {
    "GOTOOLCHAIN": "local",  # a newer Go is installed by hand or not at all
    "GOFLAGS": "-mod=readonly",
    "npm_config_update_notifier": "false",
}


def versions() -> dict[str, str]:
    """What each tool says of itself. Raises InteropError with every one that is missing or too old."""
    found = {"python": sys.version.split()[0]}
    faults = []
    for tool in TOOLS:
        if shutil.which(tool.name) is None:
            faults.append(f"{tool.name} is not on PATH: install {tool.install}")
            continue
        version = found[tool.name] = _ask(tool)
        if not version:
            faults.append(f"{tool.name} says no version: install {tool.install}")
        elif tuple(map(int, version.split(".")[:2])) < tool.least:
            faults.append(f"{tool.name} is {version}: install {tool.install}, and have it first on PATH")
    if faults:
        raise InteropError("programs with Feishu's SDKs can't be built:\n" + "\n".join(f"  {line}" for line in faults))
    return found


def environ() -> dict[str, str]:
    """The environment in which they are asked, and build."""
    return {**os.environ, **_ENVIRON}


def _ask(tool: Tool) -> str:
    done = subprocess.run(
        [tool.name, tool.question],
        env=environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    match = re.search(r"\d+(\.\d+)+", done.stdout)
    return match[0] if match else ""
