"""Names of sink types → what builds them. Concrete sinks are imported on demand: no Kafka sink, no Kafka client."""

from importlib.metadata import EntryPoint, entry_points

from sinks.contract import AnySinkType, SinkType
from sinks.settings import SinkSettings

GROUP = "event_router.sinks"
BUILT_IN = {
    "kafka": "sinks.kafka:SINK",
    "http": "sinks.http:SINK",
    "feishu_ws": "sinks.feishu_ws:SINK",
    "file": "sinks.file:SINK",
    "stdout": "sinks.stdout:SINK",
    "memory": "sinks.memory:SINK",
}


class UnknownSinkTypeError(LookupError):
    """No built-in sink and no plug-in has that name."""


class BrokenPluginError(Exception):
    """A plug-in's entry point can't be loaded, isn't a SinkType, or claims a name that is taken. The text says which."""


def names() -> list[str]:
    """All sink types that can be configured here."""
    return sorted({*BUILT_IN, *(entry.name for entry in entry_points(group=GROUP))})


def find(name: str) -> AnySinkType:
    """The sink type of that name. Raises UnknownSinkTypeError or BrokenPluginError."""
    entry = _entry(name)
    try:
        found = entry.load()
    except Exception as error:
        raise BrokenPluginError(f"sink type {name!r} ({entry.value}) can't be loaded: {error!r}") from error
    if not isinstance(found, SinkType):
        raise BrokenPluginError(f"sink type {name!r} ({entry.value}) is not a sinks.contract.SinkType")
    settings: object = found.settings
    if not (isinstance(settings, type) and issubclass(settings, SinkSettings)):
        raise BrokenPluginError(f"sink type {name!r} ({entry.value}): settings must derive from SinkSettings")
    return found


def _entry(name: str) -> EntryPoint:
    """The only one of that name: which of two is meant, a router must not guess."""
    plugins = [entry for entry in entry_points(group=GROUP) if entry.name == name]
    owners = ["the router itself"] * (name in BUILT_IN) + sorted(_owner(entry) for entry in plugins)
    if len(owners) > 1:
        raise BrokenPluginError(f"sink type {name!r} is claimed by {' and '.join(owners)}; uninstall or rename one")
    if not owners:
        raise UnknownSinkTypeError(name)
    return plugins[0] if plugins else EntryPoint(name, BUILT_IN[name], GROUP)


def _owner(entry: EntryPoint) -> str:
    return f"package {entry.dist.name}" if entry.dist else entry.value
