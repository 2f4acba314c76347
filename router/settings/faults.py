"""What is wrong with the settings, in words for someone at 3 a.m."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Fault(NamedTuple):
    """One thing to put right.

    variable: the environment variable's name; problem: what is wrong with it, without any secret; suggestion: the nearest
    known name or what to write instead, "" when there is nothing better to say.
    """

    variable: str
    problem: str
    suggestion: str = ""

    def __str__(self) -> str:
        """One line."""
        return f"{self.variable}: {self.problem}" + (f" ({self.suggestion})" if self.suggestion else "")


class SettingsError(Exception):
    """The settings can't be used; `faults` holds everything that is wrong with them, never just the first thing."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults)
        self.faults = list(faults)

    def __str__(self) -> str:
        """One fault a line."""
        return "\n".join(map(str, self.faults))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean X?` with the known word nearest to this one, "" when none is near."""
    found = nearest(word, known)
    return f"did you mean {found}?" if found else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word most like this one, "" when none is."""
    from difflib import get_close_matches  # noqa: PLC0415 - only needed when something is wrong

    folded = {candidate.upper(): candidate for candidate in known}
    match = get_close_matches(word.upper(), folded, n=1, cutoff=0.6)
    return folded[match[0]] if match else ""
