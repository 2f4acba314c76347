"""Feishu's event types: which are known, and which field names the entity that an event is about."""

from collections.abc import Mapping
from typing import Any

from router.feishu.subjects import SUBJECTS

_LONGEST = 256
_PATHS = {
    type_: tuple(tuple(path.split(".")) for path in paths.split("|")) for type_, paths in SUBJECTS.items() if paths
}


def known(type_: str) -> bool:
    """Whether the type is in the catalogue. Others are taken just the same, without a subject."""
    return type_ in SUBJECTS


def types() -> list[str]:
    """All known types, sorted."""
    return sorted(SUBJECTS)


def subject(type_: str, event: Any) -> str | None:
    """The entity's id: the first of the type's fields that holds one. None for an unknown type or an unusable value."""
    for path in _PATHS.get(type_, ()):
        value = event
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if type(value) is int:
            return str(value)
        if isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable():
            return value
    return None


def subject_paths(type_: str) -> tuple[tuple[str, ...], ...]:
    """The fields that may hold the type's subject, best first."""
    return _PATHS.get(type_, ())
