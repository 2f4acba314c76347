"""Settings classes → the environment variables that set them. Nothing here knows a value."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

from pydantic import SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from sinks.settings import Section

PREFIX = "FER"
SEPARATOR = "__"
FILE_SUFFIX = "_FILE"
APPS = "FER_APPS"
SINKS = "FER_SINKS"
NAME = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")
NAME_RULE = "names are lower-case letters and digits, joined by single underscores"


class Leaf(NamedTuple):
    """One setting: its variable, where it is in its settings class, and what that class says of it."""

    variable: str
    path: tuple[str, ...]
    field: FieldInfo

    @property
    def secret(self) -> bool:
        """Whether the value must never be shown."""
        return mentions(self.field.annotation, SecretStr) or mentions(self.field.annotation, SecretBytes)

    @property
    def from_file(self) -> str:
        """The variable that names a file to read the value from; "" where the value is a file's path itself."""
        return "" if self.variable.endswith(FILE_SUFFIX) else self.variable + FILE_SUFFIX

    @property
    def names_file(self) -> bool:
        """Whether the value is the path of a file that must be there, such as a certificate."""
        return not self.from_file and mentions(self.field.annotation, Path)

    @property
    def credential(self) -> bool:
        """Whether a new value is taken up while the router runs: secrets, certificates, and user names that come with them."""
        return self.secret or self.names_file or self.path[-1].endswith("username")

    def value(self, section: Any) -> Any:
        """What the section has there; an optional section that isn't there has None."""
        for name in self.path:
            section = getattr(section, name, None)
        return section


def join(prefix: str, *names: str) -> str:
    """FER + listen → FER_LISTEN; FER_SINK + bus + type → FER_SINK__BUS__TYPE."""
    for name in names:
        prefix += ("_" if prefix == PREFIX else SEPARATOR) + name.upper()
    return prefix


def app_prefix(name: str) -> str:
    """Where an app's variables begin; the short form of the only app has the name ""."""
    return join(PREFIX, "app", name) if name else join(PREFIX, "app")


def sink_prefix(name: str) -> str:
    """Where a sink's variables begin."""
    return join(PREFIX, "sink", name)


def leaves(
    model: type[Section], prefix: str, skip: frozenset[str] = frozenset(), path: tuple[str, ...] = ()
) -> Iterator[Leaf]:
    """Every setting below a settings class, in the order of its fields, sections within it included."""
    for name, field in model.model_fields.items():
        if name in skip:
            continue
        variable = join(prefix, name)
        section = section_of(field.annotation)
        if section is None:
            yield Leaf(variable, (*path, name), field)
        else:
            yield from leaves(section, variable, path=(*path, name))


def section_of(annotation: Any) -> type[Section] | None:
    """The settings class that a field holds (also `X | None`), or None for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for arg in get_args(annotation) if (found := section_of(arg))), None)


def mentions(annotation: Any, wanted: type) -> bool:
    """Whether a type is, or is made of, another one."""
    return annotation is wanted or any(mentions(arg, wanted) for arg in get_args(annotation))
