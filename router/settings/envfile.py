"""Files of KEY=VALUE lines, as Docker, systemd and shells have them, for `--env-file`."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from router.settings.faults import Fault, SettingsError
from router.settings.names import FILE_SUFFIX

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)", re.DOTALL)
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?', re.DOTALL)
_SINGLE = re.compile(r"'([^']*)'\s*(?:#.*)?", re.DOTALL)
_COMMENT = re.compile(r"(?:^|\s+)#.*", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}


def parse_env_file(text: str, name: str = "env file") -> dict[str, str]:
    """The variables that such a text sets; the last one wins. Nothing is expanded. Raises SettingsError.

    One `KEY=VALUE` a line, with or without `export`; empty lines and lines that begin with # are left out; a # after
    white space begins a comment. In "double quotes" a backslash quotes the next character, and \\n, \\t and \\r are line
    break, tab and carriage return; in 'single quotes' everything stands for itself. `name` is for the messages.
    """
    values: dict[str, str] = {}
    faults: list[Fault] = []
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        value = _value(match[2]) if match else None
        if match is None or value is None:
            faults.append(Fault(f"{name} line {number}", _problem(match)))
        else:
            values[match[1]] = value
    if faults:
        raise SettingsError(faults)
    return values


def read_env_file(path: Path) -> dict[str, str]:
    """The variables that a file sets. Raises SettingsError; no message holds a value."""
    try:
        return parse_env_file(path.read_text("utf-8"), str(path))
    except UnicodeDecodeError:
        raise SettingsError([Fault("--env-file", f"{path} is not UTF-8 text")]) from None
    except OSError as error:
        raise SettingsError([Fault("--env-file", f"{path} can't be read: {error.strerror}")]) from error


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
