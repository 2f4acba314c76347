"""HTTP sink: one request per event, or one per batch, to one URL."""

from sinks.contract import SinkType
from sinks.http.settings import HttpSettings, describe, remarks
from sinks.http.sink import HttpSink

SINK = SinkType(
    settings=HttpSettings,
    build=lambda name, settings: HttpSink(settings),  # noqa: ARG005 - a name is of no use to this sink
    describe=describe,
    remarks=remarks,
)
