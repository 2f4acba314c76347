"""Which credentials differ between the settings in use and those just read. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from router.settings.names import FILE_SUFFIX, PREFIX, Leaf, app_prefix, join, leaves, sink_prefix
from router.settings.sections import Sections
from sinks.settings import Section

ADMIN = join(PREFIX, "admin")
TLS = join(PREFIX, "tls")
WS = join(PREFIX, "ws")
_SKIP = {PREFIX: frozenset({"admin", "apps", "sinks", "tls", "ws"})}


class Part(NamedTuple):
    """What is taken up together or not at all: one app, one sink, the webhook's TLS, the admin port, the programs' port.

    contents: fingerprints of the files that its settings name, by variable.
    """

    section: Section
    contents: Mapping[str, str]


class Difference(NamedTuple):
    """taken: variables of credentials that differ; left: those of other settings, which only a restart takes up.

    part: the one in use with the new credentials. Variables have the names that are really set: all come from files.
    """

    part: Part
    taken: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def parts_of(sections: Sections) -> dict[str, Part]:
    """All parts without a fault, by the prefix of their variables; FER is all that is no part of its own."""
    root = sections.root
    found: dict[str, Any] = {} if root is None else {PREFIX: root, TLS: root.tls, ADMIN: root.admin, WS: root.ws}
    found |= {app_prefix(name): app for name, app in sections.apps.items()}
    found |= {sink_prefix(name): sink for name, sink in sections.sinks.items()}
    return {
        prefix: Part(section, _below(sections.contents, prefix))
        for prefix, section in found.items()
        if prefix == PREFIX or sections.good(prefix, section)
    }


def difference(prefix: str, used: Part, read: Part) -> Difference:
    """What a part's files changed."""
    if type(used.section) is not type(read.section):
        return Difference(used, left=(join(prefix, "type") + FILE_SUFFIX,))
    every = list(leaves(type(used.section), prefix, _SKIP.get(prefix, frozenset())))
    changed = [leaf for leaf in every if _differs(leaf, used, read)]
    taken = [leaf for leaf in changed if leaf.credential]
    left = tuple(_variable(leaf) for leaf in changed if not leaf.credential)
    section = read.section
    if left:
        section = used.section
        for leaf in taken:
            section = _with(section, leaf.path, leaf.value(read.section))
    return Difference(Part(section, read.contents), tuple(map(_variable, taken)), left)


def _differs(leaf: Leaf, used: Part, read: Part) -> bool:
    if leaf.names_file and used.contents.get(leaf.variable) != read.contents.get(leaf.variable):
        return True
    return bool(leaf.value(used.section) != leaf.value(read.section))


def _variable(leaf: Leaf) -> str:
    return leaf.from_file or leaf.variable


def _with(section: Section, path: tuple[str, ...], value: Any) -> Section:
    head, *rest = path
    inner = _with(getattr(section, head), tuple(rest), value) if rest else value
    return section.model_copy(update={head: inner})


def _below(contents: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {variable: content for variable, content in contents.items() if variable.startswith(prefix + "__")}
