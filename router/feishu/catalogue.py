"""Feishu's event types: which are known, and which field names the entity that an event is about."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
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


def matches_any(pattern: str) -> bool:
    """Whether the glob matches a known type."""
    return any(fnmatchcase(type_, pattern) for type_ in SUBJECTS)


def subject(type_: str, event: Any) -> str | None:
    """The entity's id: the first of the type's fields that holds one. None when there is none, or no usable value."""
    for path in subject_paths(type_):
        value = event
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if type(value) is int:
            return str(value)
        if isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable():
            return value
    return None


def subject_paths(type_: str) -> tuple[tuple[str, ...], ...]:
    """The fields that may hold the type's subject, best first. For an unknown type they are guessed from its name."""
    paths = _PATHS.get(type_)
    return _guessed(type_) if paths is None and type_ not in SUBJECTS else paths or ()


@lru_cache(maxsize=1024)
def _guessed(type_: str) -> tuple[tuple[str, ...], ...]:
    """`corehr.department.moved_v3` is about what `department_id` names: Feishu's types end in entity and action."""
    return tuple((f"{entity}_id",) for entity in reversed(type_.split(".", 8)[1:-1]))
