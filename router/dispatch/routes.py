"""Which events a sink wants: globs for type, app, tenant and subject; `!` in front excludes."""

import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import translate
from operator import attrgetter

from router.envelope import Envelope
from sinks.settings import SinkSettings

CACHE_MAX = 4096
CACHED_MAX_LENGTH = 200
"""Characters: a longer text is looked at each time, so that memory stays bounded whatever is pushed."""

Condition = tuple[Callable[[Envelope], str | None], "Globs"]
_READ: Sequence[Callable[[Envelope], str | None]] = [
    attrgetter(name) for name in ("type", "appid", "tenantkey", "subject")
]


class Globs(dict[str | None, bool]):
    """`globs[text]`: whether the text is wanted. Answers are remembered.

    It is when a pattern without `!` matches and none with `!` does, whatever their order. Only exclusions mean:
    everything but these. Case-sensitive, as all names of Feishu are. No text (None) is matched by `*` alone.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        super().__init__()
        excluded = [pattern[1:].strip() for pattern in patterns if pattern.startswith("!")]
        included = [pattern for pattern in patterns if not pattern.startswith("!")] or ["*"]
        self.everything = "*" in included and not excluded
        self._included = _matcher(included)
        self._excluded = _matcher(excluded) if excluded else None

    def __missing__(self, text: str | None) -> bool:
        wanted = self._included(text) and not (self._excluded is not None and self._excluded(text))
        if len(self) >= CACHE_MAX:
            self.clear()
        if text is None or len(text) <= CACHED_MAX_LENGTH:
            self[text] = wanted
        return wanted


class Routes:
    """The EVENTS, APPS, TENANTS and SUBJECTS of one sink.

    letters_of: as the function of that name says. Where there are some, it gets the copies of their dead
    letters (`Envelope.deadsink`) and nothing else; where there are none, no copies.
    """

    def __init__(self, settings: SinkSettings, letters_of: frozenset[str] = frozenset()) -> None:
        self._types = Globs(settings.events)
        self._further = _conditions((), settings.apps, settings.tenants, settings.subjects)
        self._deadsinks: frozenset[str | None] = letters_of or frozenset([None])

    def wants(self, envelope: Envelope) -> bool:
        """Whether it is delivered to the sink."""
        return (
            self._types[envelope.type]
            and envelope.deadsink in self._deadsinks
            and (not self._further or _holds(self._further, envelope))
        )

    def wants_type(self, type_: str) -> bool:
        """Whether events of that type, no copies of dead letters, are delivered to the sink from some app and subject."""
        return None in self._deadsinks and self._types[type_]


def letters_of(name: str, sinks: Mapping[str, SinkSettings]) -> frozenset[str]:
    """The sinks that name this one in DEAD_LETTERS."""
    return frozenset(other for other, settings in sinks.items() if settings.dead_letters == name)


def wanted(
    types: Sequence[str] = (), apps: Sequence[str] = (), tenants: Sequence[str] = (), subjects: Sequence[str] = ()
) -> Callable[[Envelope], bool]:
    """Whether all of these match an envelope, as `Globs` says; without patterns of a kind, all match. For replays."""
    conditions = _conditions(types, apps, tenants, subjects)
    return lambda envelope: _holds(conditions, envelope)


def _conditions(*patterns: Sequence[str]) -> list[Condition]:
    """Those of types, apps, tenants and subjects that leave anything out."""
    every = [(read, Globs(these)) for read, these in zip(_READ, patterns, strict=True)]
    return [(read, globs) for read, globs in every if not globs.everything]


def _holds(conditions: Sequence[Condition], envelope: Envelope) -> bool:
    return all(globs[read(envelope)] for read, globs in conditions)


def _matcher(patterns: Sequence[str]) -> Callable[[str | None], bool]:
    match = re.compile("|".join(map(translate, patterns))).fullmatch
    nothing = "*" in patterns
    return lambda text: nothing if text is None else match(text) is not None
