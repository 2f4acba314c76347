"""Files of KEY=VALUE lines, as Docker, systemd and shells have them, for `--env-file`."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from router.settings.faults import Fault, SettingsError
from router.settings.load import read_sections
from router.settings.names import FILE_SUFFIX

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)", re.DOTALL)
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?', re.DOTALL)
_SINGLE = re.compile(r"'([^']*)'\s*(?:#.*)?", re.DOTALL)
_COMMENT = re.compile(r"(?:^|\s+)#.*", re.DOTALL)
_NAMED = re.compile(r"^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}


class EnvFile(NamedTuple):
    """What a file says. unread: the variables that a bad line seems to be about; whole: whether it could be read at all."""

    values: dict[str, str]
    faults: list[Fault]
    unread: frozenset[str] = frozenset()
    whole: bool = True


def parse_env_file(text: str, name: str = "env file") -> EnvFile:
    """The variables that such a text sets; the last one wins. Nothing is expanded.

    One `KEY=VALUE` a line, with or without `export`; empty lines and lines that begin with # are left out; a # after
    white space begins a comment. In "double quotes" a backslash quotes the next character, and \\n, \\t and \\r are line
    break, tab and carriage return; in 'single quotes' everything stands for itself. `name` is for the messages, which
    hold no value.
    """
    values: dict[str, str] = {}
    faults: list[Fault] = []
    unread: set[str] = set()
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        value = _value(match[2]) if match else None
        if match is None or value is None:
            faults.append(Fault(f"{name} line {number}", _problem(match)))
            unread.update(_NAMED.findall(line))
        else:
            values[match[1]] = value
    return EnvFile(values, faults, frozenset(unread))


def scan_env_file(path: Path) -> EnvFile:
    """The same of a file."""
    try:
        return parse_env_file(path.read_text("utf-8"), str(path))
    except UnicodeDecodeError:
        problem = "is not UTF-8 text"
    except OSError as error:
        problem = f"can't be read: {error.strerror}"
    return EnvFile({}, [Fault("--env-file", f"{path} {problem}")], whole=False)


def read_env_file(path: Path) -> dict[str, str]:
    """The variables that a file sets. Raises SettingsError; no message holds a value."""
    scanned = scan_env_file(path)
    if scanned.faults:
        raise SettingsError(scanned.faults)
    return scanned.values


def faults_of(files: Iterable[EnvFile], environ: Mapping[str, str]) -> list[Fault]:
    """All that is wrong, when something is wrong in a file; `environ` are the variables in force.

    What else is wrong with the settings is told with it, as far as it can be known: not when a whole file is missing.
    """
    files = list(files)
    faults = [fault for file in files for fault in file.faults]
    if faults and all(file.whole for file in files):
        unread = frozenset[str]().union(*(file.unread for file in files)) - environ.keys()
        faults += read_sections(environ, unread=unread).faults
    return faults


def _value(text: str) -> str | None:
    """What stands behind the equals sign, unquoted; None when the quotes aren't closed."""
    if text.startswith('"'):
        quoted = _DOUBLE.fullmatch(text)
        return re.sub(r"\\(.)", lambda m: _ESCAPED.get(m[1], m[1]), quoted[1], flags=re.DOTALL) if quoted else None
    if text.startswith("'"):
        quoted = _SINGLE.fullmatch(text)
        return quoted[1] if quoted else None
    return _COMMENT.sub("", text)


def _problem(match: re.Match[str] | None) -> str:
    if match is None:
        return "is not KEY=VALUE"
    return f"the quote that opens the value of {match[1]} is not closed, or something follows it"


def merge(files: Iterable[Mapping[str, str]], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables in force: a later file wins over an earlier one, the real environment over all files.

    A setting and its `_FILE` form are one thing here: whichever form wins takes the other's place.
    """
    merged: dict[str, str] = {}
    for layer in (*files, environ):
        replaced = {_twin(name) for name in layer} - layer.keys()
        merged = {name: value for name, value in merged.items() if name not in replaced} | dict(layer)
    return merged


def _twin(name: str) -> str:
    """X → X_FILE and X_FILE → X."""
    return name.removesuffix(FILE_SUFFIX) if name.endswith(FILE_SUFFIX) else name + FILE_SUFFIX
