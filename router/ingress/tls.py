"""TLS of the webhook port."""

import ssl

from router.settings.model import TlsSettings


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


def _why(error: OSError, cert: str, key: str) -> str:
    if isinstance(error, PermissionError):
        return f"TLS: {cert} or {key} may not be read by this user"
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return f"TLS: the key in {key} does not belong to the certificate in {cert}"
    return f"TLS: {cert} and {key} must hold a PEM certificate chain and its unencrypted PEM key"
