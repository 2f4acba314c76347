"""Members of a question, from a JSON object or a query string alike: each is taken by its name, and what is left is unknown."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from router.admin.moments import moment
from router.admin.problems import ProblemError
from router.settings.faults import did_you_mean

NO_CONDITION = "leave it out to set no condition"


class Fields:
    """One object of a question. Everything that is wrong with it is collected; `finish` raises it."""

    def __init__(self, given: Mapping[str, Any], within: str = "", faults: list[str] | None = None) -> None:
        self._given = dict(given)
        self._within = within
        self._asked: list[str] = []
        self._faults: list[str] = [] if faults is None else faults

    def take(self, name: str) -> Any:
        """The raw value, None when it isn't given."""
        self._asked.append(name)
        return self._given.get(name)

    def words(self, name: str) -> tuple[str, ...]:
        """Text, or a list of it; none of it empty, nor the list."""
        found = self._several(name)
        if not all(isinstance(word, str) and word.strip(" !") for word in found):
            self.blame(name, "must be text, or a list of texts, none of it empty")
            return ()
        return tuple(word.strip() for word in found)

    def word(self, name: str) -> str | None:
        """One text."""
        found = self.words(name)
        if len(found) > 1:
            self.blame(name, "may be given once only")
        return found[0] if found else None

    def integer(self, name: str, default: int | None, low: int = 1, high: int = (1 << 63) - 1) -> int | None:
        """A whole number from `low` to `high`."""
        value = self._single(name)
        if value is None:
            return default
        number = _integer(value)
        if number is None or not low <= number <= high:
            top = "" if high == (1 << 63) - 1 else f" to {high:,}"
            self.blame(
                name, f"must be a whole number from {low}{top}" if top else f"must be a whole number, at least {low}"
            )
            return default
        return number

    def integers(self, name: str) -> tuple[int, ...]:
        """Whole numbers, at least 1 each; at least one."""
        found = self._several(name)
        numbers = [_integer(number) for number in found]
        if any(number is None or not 1 <= number < 1 << 63 for number in numbers):
            self.blame(name, "must be a whole number, or a list of them, at least 1 each")
        return tuple(number for number in numbers if number is not None)

    def number(self, name: str, default: float, high: float) -> float:
        """A number above 0, at most `high`."""
        value = self._single(name)
        try:
            number = default if value is None else math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not 0 < number <= high:
            self.blame(name, f"must be a number above 0, at most {high:,.0f}")
            return default
        return number

    def flag(self, name: str) -> bool:
        """true or false."""
        value = self._single(name)
        if value not in (None, True, False, "true", "false"):
            self.blame(name, "must be true or false")
        return value is True or value == "true"

    def moment(self, name: str, now_ms: int) -> int | None:
        """A time, or how long ago → Unix milliseconds."""
        text = self.word(name)
        try:
            return None if text is None else moment(text, now_ms)
        except ValueError as error:
            self.blame(name, f"{error}, not {text!r}")
            return None

    def section(self, name: str) -> "Fields":
        """An object within this one; it must be there, if only empty. A null in it must not come to mean everything."""
        value = self.take(name)
        if not isinstance(value, dict):
            self.blame(name, "must be an object, {} for no condition")
            value = {}
        for member in [member for member, given in value.items() if given is None]:
            self.blame(f"{name}.{member}", f"must not be null; {NO_CONDITION}")
        return Fields(value, f"{self._within}{name}.", self._faults)

    def finish(self) -> None:
        """Look for what nobody asked for. Of an inner object: before the outer one's."""
        for name in self._given:
            if name not in self._asked:
                near = did_you_mean(name, self._asked) or (self._asked and f"there are: {', '.join(self._asked)}")
                self.blame(name, f"is not known; {near or 'nothing is to be said here'}")
        if self._faults and not self._within:
            several = "a fault" if len(self._faults) == 1 else f"{len(self._faults)} faults"
            raise ProblemError(422, f"the question has {several}: {'; '.join(self._faults[:5])}", self._faults)

    def blame(self, name: str, problem: str) -> None:
        """Note a fault."""
        self._faults.append(f"{self._within}{name} {problem}")

    def _several(self, name: str) -> list[Any]:
        """What is given, in a list; [] when nothing is. A list that somebody computed and that came out empty is a fault."""
        value = self.take(name)
        if value == []:
            self.blame(name, f"must not be an empty list; {NO_CONDITION}")
        return [] if value is None else value if isinstance(value, list) else [value]

    def _single(self, name: str) -> Any:
        value = self.take(name)
        if isinstance(value, list):
            self.blame(name, "may be given once only")
            return None
        return value


def of_query(pairs: Iterable[tuple[str, str]]) -> Fields:
    """Parameters of a query string; one that is repeated is a list."""
    given: dict[str, Any] = {}
    for name, value in pairs:
        before = given.get(name)
        given[name] = value if before is None else [*(before if isinstance(before, list) else [before]), value]
    return Fields(given)


def of_body(body: bytes) -> Fields:
    """A JSON object; none at all is an empty one. Raises ProblemError."""
    try:
        document = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError as error:
        raise ProblemError(400, f"the body is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise ProblemError(400, "the body must be a JSON object")
    return Fields(document)


def _integer(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
