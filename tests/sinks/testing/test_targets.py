"""A target builds a fresh sink from its settings."""

from typing import Any

from sinks import memory
from sinks.memory import MemorySettings, MemorySink
from sinks.testing.targets import Target


class MemoryTarget(Target):
    sink_type = memory.SINK

    def settings(self) -> MemorySettings:
        return MemorySettings(type="memory", capacity=3)

    async def arrived(self) -> list[dict[str, Any]]:
        return []


def test_each_built_is_another() -> None:
    target = MemoryTarget()
    one, other = target.build(), target.build()
    assert isinstance(one, MemorySink)
    assert one is not other
