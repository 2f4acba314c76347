"""Settings of the Kafka sink."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from sinks.kafka.encode import PLACEHOLDERS
from sinks.settings import ByteSize, Seconds, SinkSettings, StrList

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SERVER = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[^\s:/@,\[\]]+):(\d{1,5})")


class KafkaSettings(SinkSettings):
    """One Kafka cluster, and how events are written to it. Always acks=all and idempotent."""

    bootstrap_servers: Annotated[StrList, Field(min_length=1)] = Field(
        description="Brokers to begin with, host:port, comma-separated."
    )
    topic: str = Field(
        default="feishu.{event_type}",
        description="Topic of an event. Placeholders: {event_type}, {app_id}, {tenant_key}, {source}.",
    )
    format: Literal["structured", "binary"] = Field(
        default="structured",
        description="CloudEvents in Kafka: the whole event as JSON, or its data with the attributes in ce_ headers.",
    )
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = Field(
        default="zstd", description="Of each batch; zstd costs the router hardly anything."
    )
    concurrency: int = Field(
        default=4,
        ge=2,
        le=32,
        description="Deliveries (up to 2,000 events or 4 MiB) under way at once; one that waits for a topic takes a place.",
    )
    max_batch_bytes: ByteSize = Field(
        default=512 << 10,
        ge=1 << 10,
        le=64 << 20,
        description="Largest batch of one partition; never more than the topic's max.message.bytes.",
    )
    topics: Literal["create", "require"] = Field(
        default="create", description="A topic that is missing: create it, or hold its events until somebody does."
    )
    partitions: int | None = Field(
        default=None, ge=1, description="Partitions of topics created here; default: the broker's num.partitions."
    )
    replication: int | None = Field(
        default=None, ge=1, le=32767, description="Their replicas; default: the broker's default.replication.factor."
    )
    topic_config: StrList = Field(
        default=[], description="Their settings, comma-separated name=value, for example retention.ms=604800000."
    )
    security_protocol: Protocol | None = Field(
        default=None, description="Default: follows from tls_… and sasl_…. SSL or SASL_SSL to trust the system's CAs."
    )
    tls_ca_file: Path | None = Field(default=None, description="CA certificates (PEM) that sign the brokers'.")
    tls_cert_file: Path | None = Field(default=None, description="Client certificate chain (PEM).")
    tls_key_file: Path | None = Field(default=None, description="Its private key (PEM, not encrypted).")
    tls_verify_hostname: bool = Field(default=True, description="Whether the broker's name must be in its certificate.")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="How user name and password are proved."
    )
    sasl_username: str = Field(default="", description="User name.")
    sasl_password: SecretStr | None = Field(default=None, description="Password.")
    client_id: str = Field(
        default="feishu-event-router", min_length=1, description="Name in the brokers' logs, quotas."
    )
    request_timeout_seconds: Seconds = Field(
        default=5.0, gt=0, description="A broker that doesn't answer a request by then is given up for another try."
    )
    deliver_timeout_seconds: Seconds = Field(
        default=10.0, gt=0, description="Events not acknowledged by then are held by the router and tried later."
    )

    @property
    def protocol(self) -> Protocol:
        """The security protocol, explicit or derived."""
        if self.security_protocol is not None:
            return self.security_protocol
        tls = self.tls_ca_file is not None or self.tls_cert_file is not None
        if self.sasl_username:
            return "SASL_SSL" if tls else "SASL_PLAINTEXT"
        return "SSL" if tls else "PLAINTEXT"

    @property
    def configs(self) -> dict[str, str]:
        """`topic_config` by name."""
        return dict(_pair(entry) for entry in self.topic_config)

    @field_validator("bootstrap_servers")
    @classmethod
    def _check_servers(cls, value: list[str]) -> list[str]:
        for server in value:
            match = SERVER.fullmatch(server)
            if match is None or not 0 < int(match[2]) < 65536:
                raise ValueError(f"expected host:port, comma-separated, not {server!r}")
        return value

    @field_validator("topic")
    @classmethod
    def _check_topic(cls, value: str) -> str:
        unknown = set(re.findall(r"\{([^{}]*)\}", value)) - PLACEHOLDERS.keys()
        if unknown:
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise ValueError(f"unknown placeholder {{{min(unknown)}}}; there are {known}")
        if re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", value)):
            raise ValueError("a brace is missing")
        if not value:
            raise ValueError("must not be empty")
        return value

    @field_validator("topic_config")
    @classmethod
    def _check_config(cls, value: list[str]) -> list[str]:
        for entry in value:
            _pair(entry)
        return value

    @model_validator(mode="after")
    def _check_security(self) -> Self:
        tls_set = self.tls_ca_file or self.tls_cert_file or self.tls_key_file
        if bool(self.tls_cert_file) != bool(self.tls_key_file):
            raise ValueError("TLS_CERT_FILE and TLS_KEY_FILE go together")
        if bool(self.sasl_username) != (self.sasl_password is not None):
            raise ValueError("SASL_USERNAME and SASL_PASSWORD go together")
        if self.protocol.startswith("SASL") and not self.sasl_username:
            raise ValueError(f"SECURITY_PROTOCOL {self.protocol} needs SASL_USERNAME and SASL_PASSWORD")
        if not self.protocol.startswith("SASL") and self.sasl_username:
            raise ValueError(f"SASL_USERNAME is set, but SECURITY_PROTOCOL {self.protocol} has no SASL")
        if not self.protocol.endswith("SSL") and tls_set:
            raise ValueError(f"TLS_… files are set, but SECURITY_PROTOCOL {self.protocol} has no TLS")
        return self

    @model_validator(mode="after")
    def _check_times(self) -> Self:
        if self.deliver_timeout_seconds < self.request_timeout_seconds:
            raise ValueError("DELIVER_TIMEOUT_SECONDS must not be shorter than REQUEST_TIMEOUT_SECONDS")
        return self


def _pair(entry: str) -> tuple[str, str]:
    name, equals, value = entry.partition("=")
    if not equals or not name.strip():
        raise ValueError(f"expected name=value, comma-separated, not {entry!r}")
    return name.strip(), value.strip()
