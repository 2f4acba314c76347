"""Who may see what on the admin port."""

import hmac

OPEN = frozenset({"/healthz", "/readyz", "/metrics"})
"""Probes and metrics are for everybody who can reach the port."""


def refused(path: str, authorization: str | None, token: str | None, *, loopback: bool) -> tuple[int, str] | None:
    """Why this request may not pass, as status and reason; None when it may.

    With a token, all but the open paths need it. Without one, they are there on loopback only.
    """
    if path in OPEN:
        return None
    if not token:
        return None if loopback else (403, "beyond loopback this needs FER_ADMIN__TOKEN_FILE to be set")
    scheme, _, given = (authorization or "").partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(_bytes(given.strip()), _bytes(token)):
        return None
    return 401, "bearer token missing or wrong"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
