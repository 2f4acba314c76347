"""TLS of the webhook port."""

import ssl
from contextlib import suppress

from router.settings.model import TlsSettings

_DATES = {9: "is not valid yet", 10: "has expired"}
"""By OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


class TlsError(ValueError):
    """The certificate or key can't be used. The text says which file and why."""


def server_context(settings: TlsSettings) -> ssl.SSLContext | None:
    """The context to serve with, TLS 1.2 at least; None when TLS is off. Raises TlsError."""
    cert, key = settings.cert_file, settings.key_file
    if cert is None or key is None:  # the settings see to it that it is both or neither
        return None
    for path in (cert, key):
        if not path.is_file():
            raise TlsError(f"TLS: {path} is not there or is not a file")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # An empty password, so that an encrypted key is an error and not a question on the terminal.
        context.load_cert_chain(cert, key, password=lambda: b"")
    except OSError as error:
        raise TlsError(_why(error, str(cert), str(key))) from error
    return context


def fresh_context(settings: TlsSettings) -> ssl.SSLContext:
    """A context that may take another one's place: a handshake with it was tried. Blocks on disk. Raises TlsError."""
    context = server_context(settings)
    if context is None:
        raise TlsError("TLS: is off")
    try:
        _try_handshake(context, str(settings.cert_file))
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in _DATES:
            raise TlsError(f"TLS: the certificate in {settings.cert_file} {_DATES[error.verify_code]}") from error
    return context


class ServerTls:
    """The context to listen with. Each handshake gets the newest certificate; connections there are keep theirs."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self._newest = context
        context.sni_callback = self._choose

    def use(self, context: ssl.SSLContext) -> None:
        """From now on handshakes are made with this one's certificate."""
        self._newest = context

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._newest


def _try_handshake(context: ssl.SSLContext, cert: str) -> None:
    """One in memory, with a client that trusts this very certificate. Raises ssl.SSLCertVerificationError."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trusting.load_verify_locations(cert)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(down, up)
    server = context.wrap_bio(up, down, server_side=True)
    for side in (client, server, client, server, client):
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()


def _why(error: OSError, cert: str, key: str) -> str:
    if isinstance(error, PermissionError):
        return f"TLS: {cert} or {key} may not be read by this user"
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return f"TLS: the key in {key} does not belong to the certificate in {cert}"
    return f"TLS: {cert} and {key} must hold a PEM certificate chain and its unencrypted PEM key"
