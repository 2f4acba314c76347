"""What the author of a sink gives the suite: a real target, and what can be done to it."""

from abc import ABC, abstractmethod
from typing import Any

from router.envelope import Envelope
from sinks.contract import AnySinkType, Sink
from sinks.settings import SinkSettings


class Target(ABC):
    """A real target, and how to build the sink for it.

    secrets: strings in the settings that no repr, outcome, error or description may show.
    """

    sink_type: AnySinkType
    secrets: tuple[str, ...] = ()

    @abstractmethod
    def settings(self) -> SinkSettings:
        """Settings that lead to the target."""

    @abstractmethod
    async def arrived(self) -> list[dict[str, Any]]:
        """All that is readable in the target now, as CloudEvents, in the order of arrival as far as it has one."""

    def build(self) -> Sink:
        """A fresh sink, not open."""
        return self.sink_type.build("contract", self.settings())


class UnreachableTarget(Target):
    """A target that can also be built as one that is not there."""

    @abstractmethod
    def unreachable(self) -> Sink:
        """A fresh sink whose target can't be reached, and never will."""


class RecoveringTarget(Target):
    """A target that can go away under an open sink, and come back."""

    @abstractmethod
    async def go_away(self) -> None:
        """From now on nothing can be delivered."""

    @abstractmethod
    async def come_back(self) -> None:
        """All is well again."""


class RejectingTarget(Target):
    """A target that will never take a certain event."""

    @abstractmethod
    def poisoned(self, number: int) -> Envelope:
        """An event that it will never take, of the subject `od-1`."""
