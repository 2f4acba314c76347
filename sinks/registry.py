"""Names of sink types → what builds them. Concrete sinks are imported on demand: no Kafka sink, no Kafka client."""

from importlib.metadata import EntryPoint, entry_points

from sinks.contract import AnySinkType, SinkType

GROUP = "event_router.sinks"
BUILT_IN = {
    "kafka": "sinks.kafka:SINK",
    "http": "sinks.http:SINK",
    "file": "sinks.file:SINK",
    "stdout": "sinks.stdout:SINK",
    "memory": "sinks.memory:SINK",
}


class UnknownSinkTypeError(LookupError):
    """No built-in sink and no plug-in has that name."""


class BrokenPluginError(Exception):
    """A plug-in's entry point can't be loaded or isn't a SinkType."""


def names() -> list[str]:
    """All sink types that can be configured here."""
    return sorted({*BUILT_IN, *(entry.name for entry in entry_points(group=GROUP))})


def find(name: str) -> AnySinkType:
    """The sink type of that name. Raises UnknownSinkTypeError or BrokenPluginError."""
    entry = EntryPoint(name, BUILT_IN[name], GROUP) if name in BUILT_IN else _plugin(name)
    try:
        found = entry.load()
    except Exception as error:
        raise BrokenPluginError(f"sink type {name!r} ({entry.value}) can't be loaded: {error!r}") from error
    if not isinstance(found, SinkType):
        raise BrokenPluginError(f"sink type {name!r} ({entry.value}) is not a sinks.contract.SinkType")
    return found


def _plugin(name: str) -> EntryPoint:
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            return entry
    raise UnknownSinkTypeError(name)
