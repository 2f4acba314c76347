"""TLS as the settings ask for it, and whether the receiver can be reached at all."""

import asyncio
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from sinks.contract import SinkNotReadyError
from sinks.http.failures import certificate_text
from sinks.http.settings import HttpSettings


def context(settings: HttpSettings) -> ssl.SSLContext:
    """Read the certificates. Blocks on disk. Raises SinkNotReadyError that names the file."""
    for path in (settings.tls_ca_file, settings.tls_cert_file, settings.tls_key_file):
        _readable(path)
    made = ssl.create_default_context() if settings.tls_ca_file is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not settings.tls_verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    made.set_alpn_protocols(["http/1.1"])
    _load(made, settings)
    return made


def _load(made: ssl.SSLContext, settings: HttpSettings) -> None:
    if settings.tls_ca_file:
        try:
            made.load_verify_locations(settings.tls_ca_file)
        except ssl.SSLError:
            raise SinkNotReadyError(f"{settings.tls_ca_file} (TLS_CA_FILE) holds no CA certificate in PEM") from None
    if settings.tls_cert_file:
        try:
            # An empty password: an encrypted key must fail, not ask on the terminal.
            made.load_cert_chain(settings.tls_cert_file, settings.tls_key_file, password="")
        except ssl.SSLError:
            files = " and ".join(str(path) for path in (settings.tls_cert_file, settings.tls_key_file) if path)
            raise SinkNotReadyError(
                f"{files} are no certificate and key (PEM, key not encrypted) that belong together"
            ) from None


async def reach(settings: HttpSettings, tls: ssl.SSLContext) -> None:
    """Connect to the receiver, or to the proxy in front of it, and hang up. Raises SinkNotReadyError with the reason."""
    url = urlsplit((settings.proxy or settings.url).get_secret_value())
    secure = url.scheme == "https"
    port = url.port or (443 if secure else 80)
    where = f"{'proxy ' if settings.proxy else ''}{url.hostname}:{port}"
    try:
        async with asyncio.timeout(settings.connect_seconds):
            _, writer = await asyncio.open_connection(url.hostname, port, ssl=tls if secure else None)
    except TimeoutError:
        raise SinkNotReadyError(f"{where}: no connection within {settings.connect_seconds:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise SinkNotReadyError(f"{where}: {certificate_text(error)}") from None
    except ssl.SSLError:
        raise SinkNotReadyError(f"{where}: the TLS handshake failed; does it speak TLS on this port?") from None
    except socket.gaierror:
        raise SinkNotReadyError(f"{where}: the name can't be resolved") from None
    except OSError as error:
        raise SinkNotReadyError(f"{where}: {_words(error)}") from None
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


def _readable(path: Path | None) -> None:
    if path is None:
        return
    try:
        path.open("rb").close()
    except OSError as error:
        raise SinkNotReadyError(f"{path} can't be read: {_words(error)}") from None


def _words(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return error.strerror or "the connection failed"
