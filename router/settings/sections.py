"""Settings section by section: the good ones can be used while others have faults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from router.settings.faults import Fault, SettingsError
from router.settings.model import AppSettings, Settings
from sinks.settings import SinkSettings


@dataclass(frozen=True, slots=True)
class Sections:
    """What an environment gives.

    root: everything but apps and sinks. What is None has faults; what isn't may have some as well: `faulty` are the
    variables concerned. files: all paths that values were read from, or that settings name; contents: fingerprints of the
    latter (certificates and the like) by their variable.
    """

    root: Settings | None
    apps: Mapping[str, AppSettings | None]
    sinks: Mapping[str, SinkSettings | None]
    faults: list[Fault]
    faulty: frozenset[str]
    files: frozenset[str]
    contents: Mapping[str, str] = field(repr=False)

    def settings(self) -> Settings:
        """The whole. Raises SettingsError with every fault at once."""
        if self.faults or self.root is None:
            raise SettingsError(self.faults)
        return self.root.model_copy(update={"apps": dict(self.apps), "sinks": dict(self.sinks)})

    def good(self, prefix: str, section: Any) -> bool:
        """Whether that section, whose variables begin so, was read without a fault."""
        return section is not None and not any(variable.startswith(prefix + "__") for variable in self.faulty)
