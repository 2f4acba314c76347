"""The file sink: JSON Lines on disk, synced before they count as delivered."""

from sinks.contract import SinkType
from sinks.file.settings import FileSettings
from sinks.file.sink import FileSink

SINK = SinkType(settings=FileSettings, build=FileSink, describe=lambda settings: settings.path)
