"""What the four programs need is asked for in words, all of it at once; and what they are made of decides about a build."""

import shutil
from pathlib import Path

import pytest

from tests.doubles.making import key_of, made_once
from tests.interop import build
from tests.interop.build import InteropError
from tests.interop.toolchains import TOOLS, versions

SAYS = {
    "go": "go version go1.22.3 linux/amd64",
    "java": 'openjdk version "17.0.15" 2025-04-15',
    "javac": "javac 17.0.15",
    "mvn": "Apache Maven 3.8.7",
    "node": "v20.20.2",
    "npm": "11.19.1",
}


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing but one of each tool, just good enough."""
    shell = shutil.which("sh")
    assert shell
    for name, words in SAYS.items():
        say(tmp_path, name, words)
    (tmp_path / "sh").symlink_to(shell)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def say(folder: Path, name: str, words: str, status: int = 0) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit {status}\n")
    path.chmod(0o755)


def test_good_tools_are_told_by_version(tools: Path) -> None:
    found = versions()
    assert (found["go"], found["javac"], found["node"]) == ("1.22.3", "17.0.15", "20.20.2")
    assert set(found) == {"python", *(tool.name for tool in TOOLS)}


def test_everything_missing_or_too_old_is_named_at_once_with_what_to_install(tools: Path) -> None:
    (tools / "javac").unlink()
    (tools / "npm").unlink()
    say(tools, "node", "v16.20.2")
    say(tools, "go", "go version go1.15.15 linux/amd64")
    with pytest.raises(InteropError) as failure:
        versions()
    _, *faults = str(failure.value).splitlines()
    assert [fault.split()[0] for fault in faults] == ["go", "javac", "node", "npm"]
    assert "go is 1.15.15: install Go 1.19 or later" in faults[0]
    assert "a JRE has no compiler: package openjdk-17-jdk-headless" in faults[1]
    assert "node is 16.20.2" in faults[2]
    assert "npm is not on PATH" in faults[3]


def test_a_tool_that_does_not_start_is_too_old_rather_than_a_traceback(tools: Path) -> None:
    say(tools, "mvn", "The JAVA_HOME environment variable is not defined correctly", status=1)
    with pytest.raises(InteropError, match="mvn says no version: install Maven"):
        versions()


def test_a_step_that_fails_is_shown_with_its_last_words(
    tools: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(build, "CACHE", cache)
    say(tools, "go", "go version go1.22.3", status=1)
    with pytest.raises(InteropError, match=r"go build -o bot \. \(in .*\) failed:\ngo version go1\.22\.3"):
        build.built("go")
    assert not [path for path in cache.iterdir() if path.is_dir()], "half a program was left"


def test_a_program_is_built_once_and_again_when_source_or_tool_change(
    tools: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources, cache = (tmp_path_factory.mktemp(name) for name in ("sources", "cache"))
    (sources / "go").mkdir()
    source = sources / "go" / "main.go"
    source.write_text("package main")
    monkeypatch.setattr(build, "SOURCES", sources)
    monkeypatch.setattr(build, "CACHE", cache)
    first = build.built("go")
    assert build.built("go") == first
    source.write_text("package main // changed")
    second = build.built("go")
    say(tools, "go", "go version go1.23.0")
    assert len({first.command, second.command, build.built("go").command}) == 3


def test_made_once_is_whole_or_not_at_all(tmp_path: Path) -> None:
    def fail(target: Path) -> None:
        target.write_text("half")
        raise InteropError("no network")

    def work(target: Path) -> None:
        target.write_text("whole")

    path = tmp_path / "deeper" / key_of("one", "two")
    with pytest.raises(InteropError):
        made_once(path, fail)
    assert not path.exists()
    made_once(path, work)
    assert made_once(path, fail).read_text() == "whole"
