"""Events into Apache Kafka: one topic per event type."""

from sinks.contract import SinkType
from sinks.kafka.settings import KafkaSettings
from sinks.kafka.sink import KafkaSink


def _describe(settings: KafkaSettings) -> str:
    return f"Kafka {','.join(settings.bootstrap_servers)} ({settings.protocol}), topics {settings.topic}"


SINK = SinkType(KafkaSettings, lambda _name, settings: KafkaSink(settings), _describe)
