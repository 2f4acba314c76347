"""How clients connect: one set of options for all of them, and the real reason when none can."""

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from sinks.contract import SinkNotReadyError
from sinks.kafka.errors import UNTRUSTED, describe, root
from sinks.kafka.settings import SERVER, KafkaSettings

ConnectError = (OSError, KafkaError, AssertionError)
"""What connecting raises. AssertionError: aiokafka asserts on answers that no broker gives (another server's port)."""

CLOSED_HINT = f" (is this the port for the protocol? is our certificate {UNTRUSTED})"


def options(settings: KafkaSettings) -> dict[str, Any]:
    """Keyword arguments that aiokafka's clients and connections share. Reads files. Raises SinkNotReadyError."""
    password = settings.sasl_password
    return {
        "client_id": settings.client_id,
        "request_timeout_ms": int(settings.request_timeout_seconds * 1000),
        "security_protocol": settings.protocol,
        "ssl_context": _tls(settings) if settings.protocol.endswith("SSL") else None,
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": settings.sasl_username or None,
        "sasl_plain_password": password.get_secret_value() if password else None,
    }


def _tls(settings: KafkaSettings) -> ssl.SSLContext:
    reading = settings.tls_ca_file
    try:
        context = ssl.create_default_context(cafile=reading)
        context.check_hostname = settings.tls_verify_hostname
        reading = settings.tls_cert_file
        if settings.tls_cert_file is not None:
            context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file, password=_no_password)
    except OSError as error:
        raise SinkNotReadyError(f"can't use {reading}: {error.strerror or error}") from error
    return context


def _no_password() -> str:
    raise OSError("the key is encrypted, a key without password is needed")


async def metadata(settings: KafkaSettings, shared: dict[str, Any], topics: Sequence[str] = ()) -> Any:
    """What the first bootstrap server that lets us in says of the cluster and of those topics. Within the request timeout.

    Raises ConnectError: why the first one that doesn't let us in does so. aiokafka's clients hide that ("Unable to
    bootstrap"); its bare connection raises it.
    """
    addresses = [match for server in settings.bootstrap_servers if (match := SERVER.fullmatch(server))]
    request = MetadataRequest(list(topics), allow_auto_topic_creation=False)
    tries = [asyncio.create_task(_ask(match[1].strip("[]"), int(match[2]), shared, request)) for match in addresses]
    try:
        async with asyncio.timeout(settings.request_timeout_seconds):
            return await _first(tries)
    except TimeoutError:
        errors = [task.exception() for task in tries if task.done() and not task.cancelled()]
        raise next(filter(None, errors), TimeoutError()) from None
    finally:
        for task in tries:
            task.cancel()
        await asyncio.gather(*tries, return_exceptions=True)


async def _first(tries: Sequence[asyncio.Task[Any]]) -> Any:
    first_error: BaseException | None = None
    for attempt in asyncio.as_completed(tries):
        try:
            return await attempt
        except ConnectError as error:
            first_error = first_error or error
    raise first_error or AssertionError("settings without bootstrap servers")


async def _ask(host: str, port: int, shared: dict[str, Any], request: MetadataRequest) -> Any:
    connection = await create_conn(host, port, **shared)
    try:
        return await connection.send(request)
    finally:
        connection.close()


def not_ready(settings: KafkaSettings, error: BaseException) -> SinkNotReadyError:
    """The error for people: which brokers, how we came, what they said."""
    hint = CLOSED_HINT if isinstance(root(error), KafkaConnectionError) else ""
    way = settings.protocol + (f" {settings.sasl_mechanism}" if settings.sasl_username else "")
    return SinkNotReadyError(f"Kafka at {', '.join(settings.bootstrap_servers)} ({way}): {describe(error)}{hint}")
