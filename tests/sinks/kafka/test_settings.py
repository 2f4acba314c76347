from typing import Any

import pytest
from pydantic import ValidationError

from sinks.kafka import SINK
from sinks.kafka.settings import KafkaSettings


def make(**more: Any) -> KafkaSettings:
    return KafkaSettings.model_validate({"type": "kafka", "bootstrap_servers": "k1:9092, [::1]:9092", **more})


PLAIN_LOGIN = {"sasl_username": "router", "sasl_password": "hush-hush"}


@pytest.mark.parametrize(
    ("given", "protocol"),
    [
        ({}, "PLAINTEXT"),
        ({"tls_ca_file": "ca.pem"}, "SSL"),
        ({"tls_cert_file": "c.pem", "tls_key_file": "k.pem"}, "SSL"),
        (PLAIN_LOGIN, "SASL_PLAINTEXT"),
        ({**PLAIN_LOGIN, "tls_ca_file": "ca.pem"}, "SASL_SSL"),
        ({**PLAIN_LOGIN, "security_protocol": "SASL_SSL"}, "SASL_SSL"),
        ({"security_protocol": "SSL"}, "SSL"),
    ],
)
def test_the_protocol_follows_from_what_is_set(given: dict[str, str], protocol: str) -> None:
    assert make(**given).protocol == protocol


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"bootstrap_servers": ""}, "at least 1 item"),
        ({"concurrency": 1}, "greater than or equal to 2"),
        ({"bootstrap_servers": "kafka"}, "expected host:port, comma-separated, not 'kafka'"),
        ({"bootstrap_servers": "kafka:99999"}, "expected host:port"),
        ({"bootstrap_servers": "http://kafka:9092"}, "expected host:port"),
        ({"topic": "a.{type}"}, r"unknown placeholder \{type\}; there are \{event_type\}, \{app_id\}"),
        ({"topic": "a.{event_type"}, "a brace is missing"),
        ({"topic": ""}, "must not be empty"),
        ({"topic_config": "retention.ms"}, "expected name=value, comma-separated, not 'retention.ms'"),
        ({"tls_cert_file": "c.pem"}, "TLS_CERT_FILE and TLS_KEY_FILE go together"),
        ({"sasl_username": "router"}, "SASL_USERNAME and SASL_PASSWORD go together"),
        ({"sasl_password": "x"}, "SASL_USERNAME and SASL_PASSWORD go together"),
        ({"security_protocol": "SASL_SSL"}, "SASL_SSL needs SASL_USERNAME and SASL_PASSWORD"),
        ({**PLAIN_LOGIN, "security_protocol": "SSL"}, "SASL_USERNAME is set, but SECURITY_PROTOCOL SSL has no SASL"),
        ({"tls_ca_file": "c", "security_protocol": "PLAINTEXT"}, "files are set, but SECURITY_PROTOCOL PLAINTEXT"),
        ({"deliver_timeout_seconds": "1s"}, "must not be shorter than REQUEST_TIMEOUT_SECONDS"),
        ({"compression": "brotli"}, "'none', 'gzip', 'snappy', 'lz4' or 'zstd'"),
        ({"max_batch_bytes": "1"}, "greater than or equal to 1024"),
        ({"acks": "1"}, "not permitted"),
    ],
)
def test_what_can_not_work_is_refused_with_the_reason(given: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        make(**given)


def test_the_settings_of_topics_are_read_by_name() -> None:
    config = "retention.ms=604800000, cleanup.policy=compact"
    assert make(topic_config=config).configs == {"retention.ms": "604800000", "cleanup.policy": "compact"}


def test_the_password_shows_nowhere() -> None:
    settings = make(**PLAIN_LOGIN)
    assert "hush" not in repr(settings) + repr(SINK.build("bus", settings)) + SINK.describe(settings)
    assert SINK.describe(settings) == "Kafka k1:9092,[::1]:9092 (SASL_PLAINTEXT), topics feishu.{event_type}"


@pytest.mark.parametrize(("given", "at_once"), [({}, 4), ({"concurrency": "9"}, 9)])
def test_how_many_deliveries_run_at_once(given: dict[str, str], at_once: int) -> None:
    assert SINK.build("bus", make(**given)).concurrency == at_once
