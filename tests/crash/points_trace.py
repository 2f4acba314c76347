"""What a process did to one directory, call by call, with every byte it wrote: read from strace's log.

strace -f -y -xx -s 1000000 -e trace=… -o LOG program
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

CALLS = (
    "openat,creat,pwrite64,pwritev,pwritev2,write,writev,ftruncate,truncate,fallocate,copy_file_range,"
    "unlink,unlinkat,rename,renameat,renameat2,link,linkat,fsync,fdatasync,sync_file_range,msync"
)


@dataclass(frozen=True)
class Created:
    name: str


@dataclass(frozen=True)
class Written:
    name: str
    offset: int
    data: bytes


@dataclass(frozen=True)
class Sized:
    """Cut, or grown with zeros."""

    name: str
    size: int


@dataclass(frozen=True)
class Removed:
    name: str


@dataclass(frozen=True)
class Synced:
    """name "": the directory itself."""

    name: str


@dataclass(frozen=True)
class Said:
    """A line on standard output: known to the world from here on."""

    line: str


Done = Created | Written | Sized | Removed | Synced | Said

_LINE = re.compile(r"^(\d+) +(.*)$")
_CALL = re.compile(r"^(\w+)\((.*)\) += (-?\d+)")
_UNFINISHED = re.compile(r"^(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^<\.\.\. \w+ resumed>(.*)$")
_DESCRIPTOR = re.compile(r"^(\d+)<([^>]*)>")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


def command(strace: str, log: Path) -> list[str]:
    """What to put in front of a program."""
    options = ["-f", "--seccomp-bpf", "-y", "-xx", "-s", "1000000", "-e", "signal=none", "-e", f"trace={CALLS}"]
    return [strace, *options, "-o", str(log)]


def read(lines: Iterable[str], directory: Path) -> Iterator[Done]:
    """What succeeded, in order. Raises AssertionError for a call on the directory's files that isn't understood."""
    for name, arguments, result in _calls(lines):
        if result >= 0:
            yield from _done(name, arguments, result, directory)


def _calls(lines: Iterable[str]) -> Iterator[tuple[str, str, int]]:
    """Whole calls, each where it returned."""
    begun: dict[str, str] = {}
    for line in lines:
        found = _LINE.match(line.rstrip("\n"))
        assert found, line[:200]
        pid, text = found.groups()
        if unfinished := _UNFINISHED.match(text):
            begun[pid] = unfinished[1]
            continue
        if resumed := _RESUMED.match(text):
            text = begun.pop(pid) + resumed[1]
        if call := _CALL.match(text):
            yield call[1], call[2], int(call[3])


def _done(call: str, arguments: str, result: int, directory: Path) -> Iterator[Done]:
    if call == "write" and arguments.startswith("1<"):
        yield from (Said(line) for line in _bytes(arguments).decode().splitlines())
        return
    name = _name(call, arguments, directory)
    if name is None:
        return
    numbers = arguments.rsplit(", ", 2)
    match call:
        case "openat":
            assert "O_TRUNC" not in arguments, arguments
            if "O_CREAT" in arguments:
                yield Created(name)
        case "pwrite64":
            yield Written(name, int(numbers[-1]), _bytes(arguments)[:result])
        case "ftruncate":
            yield Sized(name, int(numbers[-1]))
        case "fallocate":
            yield Sized(name, int(numbers[-2]) + int(numbers[-1]))
        case "unlink":
            yield Removed(name)
        case "fsync" | "fdatasync":
            yield Synced(name)
        case _:
            raise AssertionError(f"{call} on {name}: the model of the disk doesn't know it")


def _name(call: str, arguments: str, directory: Path) -> str | None:
    """The file's name in the directory, "" for the directory; None for what is elsewhere or isn't looked at."""
    descriptor = _DESCRIPTOR.match(arguments)
    path = Path((_text(descriptor[2]) if descriptor else _bytes(arguments).decode()).removesuffix("(deleted)"))
    if path == directory:
        return "" if call in ("fsync", "fdatasync") else None
    if path.parent != directory or path.name.endswith((".lock", "-shm")):
        return None  # the lock holds nothing, SQLite makes the index anew
    return path.name


def _bytes(arguments: str) -> bytes:
    """The first string among the arguments."""
    found = _STRING.search(arguments)
    assert found, arguments[:200]
    return bytes.fromhex(found[1].replace("\\x", ""))


def _text(escaped: str) -> str:
    return bytes.fromhex(escaped.replace("\\x", "")).decode() if escaped.startswith("\\x") else escaped
