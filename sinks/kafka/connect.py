"""How clients connect: one set of options for all of them, and the real reason when none can."""

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError

from sinks.contract import SinkNotReadyError
from sinks.kafka.errors import describe
from sinks.kafka.settings import SERVER, KafkaSettings

ConnectError = (OSError, KafkaError, AssertionError)
"""What connecting raises. AssertionError: aiokafka asserts on answers that no broker gives (another server's port)."""

CLOSED_HINT = " (is this the port for the protocol? is a client certificate wanted?)"


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


async def fault(settings: KafkaSettings, shared: dict[str, Any]) -> BaseException | None:
    """None when some broker lets us in; else why the first one doesn't. Within the request timeout.

    aiokafka's clients hide the reason ("Unable to bootstrap"); its bare connection raises it.
    """
    addresses = [match for server in settings.bootstrap_servers if (match := SERVER.fullmatch(server))]
    tries = [asyncio.create_task(_try(match[1].strip("[]"), int(match[2]), shared)) for match in addresses]
    try:
        return await _first_in(tries, settings.request_timeout_seconds)
    finally:
        for task in tries:
            task.cancel()
        await asyncio.gather(*tries, return_exceptions=True)


async def _first_in(tries: Sequence[asyncio.Task[None]], seconds: float) -> BaseException | None:
    first_error: BaseException | None = None
    try:
        async with asyncio.timeout(seconds):
            for attempt in asyncio.as_completed(tries):
                try:
                    await attempt
                except ConnectError as error:
                    first_error = first_error or error
                else:
                    return None
    except TimeoutError as error:
        return first_error or error
    return first_error


async def _try(host: str, port: int, shared: dict[str, Any]) -> None:
    connection = await create_conn(host, port, **shared)
    connection.close()


def not_ready(settings: KafkaSettings, error: BaseException) -> SinkNotReadyError:
    """The error for people: which brokers, how we came, what they said."""
    hint = CLOSED_HINT if isinstance(error, KafkaConnectionError) else ""
    way = settings.protocol + (f" {settings.sasl_mechanism}" if settings.sasl_username else "")
    return SinkNotReadyError(f"Kafka at {', '.join(settings.bootstrap_servers)} ({way}): {describe(error)}{hint}")
