"""Addresses in settings. Errors never repeat one: it may hold a password."""

from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

DOMAINS = {"feishu": "https://open.feishu.cn", "lark": "https://open.larksuite.com"}


def parse_domain(text: str) -> str:
    """`feishu`, `lark` or an http(s) URL → the URL that Feishu's API stands below, without a slash at its end.

    Raises ValueError.
    """
    known = DOMAINS.get(text.lower())
    if known is not None:
        return known
    parts = _split(text)
    if parts is None or parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must be feishu, lark, or an address such as https://open.feishu.cn")
    return f"{parts.scheme.lower()}://{parts.netloc}{parts.path.rstrip('/')}"


def check_proxy(value: SecretStr | None) -> SecretStr | None:
    """Give it back when it is a proxy's address. Raises ValueError."""
    if value is not None:
        parts = _split(value.get_secret_value())
        if parts is None or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("must be a proxy's address such as http://user:password@proxy.example:3128")
    return value


def check_ws_url(text: str) -> str:
    """Give it back, its scheme in lower case, when it is empty or a websocket's address without a query. Raises ValueError."""
    parts = _split(text, ("ws", "wss")) if text else None
    if text and (parts is None or parts.username is not None or parts.query or parts.fragment):
        raise ValueError("must be an address such as wss://events.example or ws://10.0.0.5:8090")
    return text if parts is None else parts._replace(scheme=parts.scheme.lower()).geturl()


def _split(text: str, schemes: Collection[str] = ("http", "https")) -> SplitResult | None:
    """The parts of a URL of such a scheme with a host; None for anything else."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme.lower() in schemes and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if usable and text.isascii() and not any(char <= " " for char in text) else None
