"""aiokafka's errors, by type: what they mean for an event, and how to say them."""

import socket
import ssl
from typing import Final

from aiokafka import errors as kafka

from sinks.contract import Outcome, Rejected, Retry, Unavailable

RECORD: Final = {
    kafka.MessageSizeTooLargeError: "too_large",
    kafka.RecordListTooLargeError: "too_large",
    kafka.CorruptRecordException: "invalid_record",
    kafka.InvalidTopicError: "invalid_topic",
}
"""This record (of a batch: one of its records) will never be taken."""

TOPIC: Final = {
    kafka.TopicAuthorizationFailedError: "topic_not_authorized",
    kafka.UnknownTopicOrPartitionError: "topic_unknown",
    kafka.LeaderNotAvailableError: "no_leader",
    kafka.NotLeaderForPartitionError: "no_leader",
    kafka.NotEnoughReplicasError: "not_enough_replicas",
    kafka.NotEnoughReplicasAfterAppendError: "not_enough_replicas",
    kafka.KafkaStorageError: "storage",
    kafka.InvalidPartitionsError: "topic_settings",
    kafka.InvalidReplicationFactorError: "topic_settings",
    kafka.InvalidConfigurationError: "topic_settings",
    kafka.PolicyViolationError: "topic_settings",
    kafka.InvalidTimestampError: "invalid_timestamp",  # records bear this machine's time: a wrong clock is no event's fault
}
"""This topic takes nothing now; others may."""

PRODUCER: Final = (
    kafka.OutOfOrderSequenceNumber,
    kafka.ProducerFenced,
    kafka.InvalidProducerEpoch,
    kafka.UnknownProducerId,
    kafka.ProducerClosed,
)
"""Only this producer object is broken: a new one goes on."""

CLUSTER: Final = {
    kafka.ClusterAuthorizationFailedError: "not_authorized",
    kafka.SaslAuthenticationFailed: "authentication",
    kafka.UnsupportedSaslMechanismError: "authentication",
    kafka.IllegalSaslStateError: "authentication",
    ssl.SSLError: "tls",
    TimeoutError: "timeout",
    kafka.RequestTimedOutError: "timeout",
    kafka.KafkaTimeoutError: "timeout",
    kafka.NodeNotReadyError: "connection",
    kafka.KafkaConnectionError: "connection",
    OSError: "connection",
}
"""Nobody takes anything now."""


UNTRUSTED = "missing, expired, or not trusted there?"


def outcome(error: BaseException, topic: str) -> Outcome:
    """What becomes of the event that met this error on its way to the topic."""
    detail = f"{describe(error)} (topic {topic})"
    if reason := _reason(RECORD, error):
        return Rejected(reason, detail)
    if reason := _reason(TOPIC, error):
        return Unavailable(reason, detail, scope=topic)
    if reason := _reason(CLUSTER, error):
        return Unavailable(reason, detail)
    if isinstance(error, PRODUCER) or getattr(error, "retriable", False):
        return Unavailable("kafka", detail, scope=topic)
    # A code that this client has no name for. It may be for this record alone: let its own attempts count.
    return Retry("kafka", detail)


def cluster_reason(error: BaseException) -> str:
    """Why the cluster lets nobody in, for metrics."""
    return _reason(CLUSTER, root(error)) or "connection"


def root(error: BaseException) -> BaseException:
    """What broke a connection, where that is known: a certificate refused in TLS 1.3 is told only afterwards."""
    cause = error.__cause__
    return cause if isinstance(error, kafka.KafkaConnectionError) and isinstance(cause, ssl.SSLError) else error


def _reason(table: "dict[type[BaseException], str]", error: BaseException) -> str | None:
    return next((reason for kind, reason in table.items() if isinstance(error, kind)), None)


def describe(error: BaseException) -> str:
    """One line for people. Nothing secret is in any of aiokafka's errors; a password never is."""
    error = root(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate is not trusted: {error.verify_message} (TLS_CA_FILE?)"
    if isinstance(error, ssl.SSLError) and "CERTIFICATE" in (error.reason or ""):  # an alert of the broker's
        return f"the broker refuses our certificate, or wants one: {error.reason} (TLS_CERT_FILE {UNTRUSTED})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error} (wrong port, or a client certificate is wanted?)"
    if isinstance(error, socket.gaierror):
        return "the host name is not known"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, kafka.SaslAuthenticationFailed):
        return "user name or password refused (SaslAuthenticationFailed)"
    if isinstance(error, kafka.UnsupportedSaslMechanismError):
        return f"SASL mechanism not offered: {error}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, kafka.KafkaError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
