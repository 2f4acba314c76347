"""Writes `docs/settings.md` from the settings classes: `make docs`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from router.settings.files import MAX_BYTES
from router.settings.model import AppSettings, Settings
from router.settings.names import PREFIX, Leaf, join, leaves, mentions, section_of
from sinks import registry
from sinks.settings import Section, SinkSettings

INTRO = f"""# Settings

Made from the code by `make docs`; don't edit it by hand.

The router is set up by environment variables that begin with `FER_`. Groups are joined by two underscores:
`FER_JOURNAL__MAX_BYTES`. With none set at all it runs on this machine only: webhook on loopback without keys, journal
and events below `./data`. `feishu-event-router check` says what the settings amount to, or everything that is wrong with
them; `run` starts nothing while there is a fault. All faults of single variables are shown at once; what several variables
of one group or one sink don't allow *together* is checked, and shown, once each of them is good by itself.

**From a file.** Any value can come from a file: set the name with `_FILE` at its end to the file's path, as in
`FER_APP__ENCRYPT_KEY_FILE=/run/secrets/key`. Such a file is UTF-8 text, not empty and at most {MAX_BYTES >> 20} MiB; one
line break at its end doesn't count. A variable and its `_FILE` form together are a fault. Settings whose own name ends in
`_FILE` (certificates and the like) are paths as they are and have no second form.

**While it runs.** Secrets, certificates, and user names beside a password are taken up when the file that they come from
changes: [operations](operations.md#rotate-secrets). Everything else, and what is set by a variable or an `--env-file`, takes a
restart.

**Empty.** A variable that is empty or holds only white space counts as not set.

**Misspelt.** A name that begins with `FER_` and isn't on this page is a fault, so that no setting is lost to a typo. In
Kubernetes, a Service that is named `fer` makes such variables; set `enableServiceLinks: false` in the pod.

**Kinds of values.** A *duration* is a number of seconds or `500ms`, `90s`, `10m`, `2h`, `7d`, `1h30m`. A *size* is a number of
bytes or `64KiB`, `64MiB`, `10GB`. A *list* is separated by commas (or line breaks); *lines* are one value a line, for
values that may hold commas. A *switch* is `true` or `false`. A *secret* is never shown in a log, an error or by `check`.

**`--env-file PATH`** reads `KEY=VALUE` lines, with or without `export` and quotes; lines that begin with `#` are comments, and
nothing is expanded. The real environment wins over the file. Examples are in `examples/`.
"""

APPS = """## Apps

One Feishu app needs no name: `FER_APP__ENCRYPT_KEY` and so on, and its events are pushed to `/webhook/event`. Several are
named by `FER_APPS=hr,it` (lower-case letters and digits, joined by single underscores); then the settings of `hr` begin
with `FER_APP__HR__` and its events are pushed to `/webhook/event/hr`. The two forms exclude each other. An address beyond
loopback is refused unless every app that has a path there has a key or a token.

With `MODE=long_connection` the router connects to Feishu instead and needs no address of its own:
[long connection](long-connection.md).
"""

SINKS = """## Sinks

`FER_SINKS=bus,archive` names the sinks, by the same rule as apps; the settings of `bus` begin with `FER_SINK__BUS__`.
Without `FER_SINKS` there is one sink, `files`: JSON Lines in `<FER_DATA_DIR>/events/{date}/{event_type}.jsonl`. The tables
write `NAME` for the sink's name. A package can bring more types of sinks.
"""


def reference() -> str:
    """The whole page."""
    parts = [INTRO, *_root(), APPS, _names("FER_APPS", "Names of the apps, when there are several.")]
    parts.append(_table(leaves(AppSettings, join(PREFIX, "app"))))
    parts += [SINKS, _names("FER_SINKS", "Names of the sinks."), "### Every sink\n", _table(_sink_leaves(SinkSettings))]
    common = {leaf.path for leaf in _sink_leaves(SinkSettings)}
    for name in sorted(registry.BUILT_IN, key=list(registry.BUILT_IN).index):
        model = registry.find(name).settings
        own = [leaf for leaf in _sink_leaves(model) if leaf.path not in common]
        parts += [f"### `{name}`\n", _doc(model), _table(iter(own)) if own else "It has no settings of its own.\n"]
    return "\n".join(parts)


def _root() -> Iterator[str]:
    sections = {name: found for name, field in Settings.model_fields.items() if (found := section_of(field.annotation))}
    yield "## General\n"
    yield _table(leaves(Settings, PREFIX, frozenset({"apps", "sinks", *sections})))
    for name, model in sections.items():
        if name not in ("apps", "sinks"):
            yield f"## `{join(PREFIX, name)}__…`\n"
            yield _doc(model)
            yield _table(leaves(model, join(PREFIX, name)))


def _sink_leaves(model: type[Section]) -> Iterator[Leaf]:
    return leaves(model, "FER_SINK__NAME")


def _names(variable: str, text: str) -> str:
    return f"| variable | kind | default | |\n|---|---|---|---|\n| `{variable}` | list | not set | {text} |\n"


def _doc(model: type[Section]) -> str:
    lines = (model.__doc__ or "").strip().splitlines()
    return "\n".join(line.strip() for line in lines) + "\n"


def _table(rows: Iterator[Leaf]) -> str:
    lines = [f"| `{leaf.variable}` | {_kind(leaf)} | {_default(leaf)} | {_about(leaf)} |" for leaf in rows]
    return "\n".join(["| variable | kind | default | |", "|---|---|---|---|", *lines, ""])


def _about(leaf: Leaf) -> str:
    return (leaf.field.description or "").replace("|", "\\|").replace("\n", " ")


def _kind(leaf: Leaf) -> str:
    """What to write, in words."""
    annotation, name = leaf.field.annotation, leaf.path[-1]
    choices = _choices(annotation)
    if choices:
        kind = " \\| ".join(f"`{choice}`" for choice in choices)
    elif _is_many(annotation):
        return "secrets, lines" if leaf.secret else "list"
    elif leaf.secret:
        return "secret"
    elif mentions(annotation, bool):
        kind = "switch"
    elif mentions(annotation, Path):
        kind = "path"
    elif name.endswith("_bytes"):
        kind = "size"
    elif name.endswith("_seconds"):
        kind = "duration"
    else:
        kind = _number(annotation)
    return kind


def _number(annotation: Any) -> str:
    if mentions(annotation, int):
        return "whole number"
    return "number" if mentions(annotation, float) else "text"


def _choices(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(choice) for choice in get_args(annotation)]
    return [choice for arg in get_args(annotation) if get_origin(arg) is Literal for choice in _choices(arg)]


def _is_many(annotation: Any) -> bool:
    return get_origin(annotation) in (list, tuple, set, frozenset, dict) or any(map(_is_many, get_args(annotation)))


def _default(leaf: Leaf) -> str:
    """The default as it would be written."""
    if leaf.field.is_required():
        return "**required**"
    value = leaf.field.get_default(call_default_factory=True, validated_data={})
    name = leaf.path[-1]
    if value is None or value in ("", [], {}, ()):
        return "not set"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list | tuple | set | frozenset):
        return f"`{','.join(map(str, value))}`"
    if name.endswith("_bytes") and isinstance(value, int):
        return f"`{_size(value)}`"
    if name.endswith("_seconds") and isinstance(value, int | float):
        return f"`{_duration(value)}`"
    return f"`{value}`"


def _size(count: int) -> str:
    for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if count and count % (1 << power) == 0:
            return f"{count >> power}{unit}"
    return str(count)


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}" if seconds == 0 or seconds >= 1 else f"{seconds * 1000:g}ms"


if __name__ == "__main__":
    Path(__file__).parents[2].joinpath("docs", "settings.md").write_text(reference(), "utf-8")
