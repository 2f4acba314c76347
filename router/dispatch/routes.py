"""Which event types a sink wants: globs, `!` in front excludes."""

import re
from collections.abc import Sequence
from fnmatch import translate

CACHE_MAX = 4096


class Routes:
    """The EVENTS setting of one sink.

    A type is wanted when a pattern without `!` matches and none with `!` does, whatever their order. Only exclusions
    mean: everything but these. Matching is case-sensitive, as Feishu's types are.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        excluded = [pattern[1:].strip() for pattern in patterns if pattern.startswith("!")]
        included = [pattern for pattern in patterns if not pattern.startswith("!")] or ["*"]
        self._included = _any_of(included)
        self._excluded = _any_of(excluded) if excluded else None
        self._known: dict[str, bool] = {}

    def wants(self, type_: str) -> bool:
        """Whether events of that type are delivered to the sink."""
        known = self._known.get(type_)
        if known is None:
            known = self._match(type_)
            if len(self._known) < CACHE_MAX:
                self._known[type_] = known
        return known

    def _match(self, type_: str) -> bool:
        if self._included.fullmatch(type_) is None:
            return False
        return self._excluded is None or self._excluded.fullmatch(type_) is None


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern) for pattern in patterns))
