"""Keeps pages in a browser from using the admin port behind their reader's back."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from router.settings.address import Address


def foreign(host: str | None, origin: str | None, address: Address, *, trusted: bool) -> str | None:
    """Why a request must come from another site's page; None when it needn't.

    host, origin: the headers; address: where we listen; trusted: the request brought the token, which no page has.
    Without one, a name that isn't this machine's own may be a page's that points its name here (DNS rebinding).
    """
    if origin is not None and _netloc(origin) != (host or "").lower():
        return "a page of another origin may not use the admin port"
    if host is None or trusted or _own(host, address):
        return None
    return f"the Host header must name this machine's loopback, such as {address.host or '127.0.0.1'}"


def _netloc(origin: str) -> str | None:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc.lower() if parts.scheme in ("http", "https") and parts.netloc else None


def _own(host: str, address: Address) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name in ("localhost", address.host.lower()):
        return bool(name)
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
