"""Settings as they may be shown: what is a secret is only said to be set."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import SecretBytes, SecretStr

from router.settings.model import AppSettings, Settings
from router.settings.names import PREFIX, Leaf, app_prefix, leaves, sink_prefix
from sinks.settings import Section

_USERINFO = re.compile(r"(?<=://)[^/\s,]*@")
NOT_SET = "not set"


class Row(NamedTuple):
    """One setting: the variable that sets it, its value for people, and whether the value is the default."""

    variable: str
    value: str
    default: bool


def describe(settings: Settings) -> list[Row]:
    """Every setting in force, for the log at start. No row holds a secret."""
    rows = list(_rows(settings, PREFIX, frozenset({"apps", "sinks"})))
    for name, app in settings.apps.items():
        rows += _rows(app, app_prefix(name))
    for name, sink in settings.sinks.items():
        rows += _rows(sink, sink_prefix(name))
    return rows


def keys_of(app: AppSettings) -> tuple[str, str]:
    """How many keys and tokens an app has, in words."""
    return _shown(app.encrypt_key, secret=True, noun="key"), _shown(app.verification_token, secret=True, noun="token")


def _rows(section: Section, prefix: str, skip: frozenset[str] = frozenset()) -> Iterator[Row]:
    for leaf in leaves(type(section), prefix, skip):
        value = leaf.value(section)
        noun = "token" if "token" in leaf.path[-1] else "key" if "key" in leaf.path[-1] else "secret"
        yield Row(leaf.variable, _shown(value, secret=leaf.secret, noun=noun), value == _default(leaf))


def _default(leaf: Leaf) -> Any:
    return leaf.field.get_default(call_default_factory=True, validated_data={})


def _shown(value: Any, *, secret: bool, noun: str) -> str:
    """A value in words; of a secret only whether it is set, and how many there are."""
    if value is None or value in ("", [], {}, ()):
        return NOT_SET
    if secret or isinstance(value, SecretStr | SecretBytes):
        if not isinstance(value, list | tuple):
            return "set"
        return f"set (1 {noun})" if len(value) == 1 else f"set ({len(value)} {noun}s)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if value < 1e6 else f"{value:.0f}"
    if isinstance(value, list | tuple | set | frozenset):
        return _USERINFO.sub("***@", ",".join(map(str, value)))
    return _USERINFO.sub("***@", str(value))
