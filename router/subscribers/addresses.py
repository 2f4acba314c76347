"""The address of the websocket, as a program can reach it."""

import re
from collections.abc import Mapping

from router.feishu.discovery import PATH
from router.settings.address import Address

CONNECT = "/callback/ws/connect"
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def place(raw_path: str) -> tuple[str, str]:
    """(prefix, place) of a request's path: an ingress may put something in front, and some SDKs write `//`."""
    path = re.sub("/{2,}", "/", raw_path.partition("?")[0])
    for known in (PATH, CONNECT):
        if path.endswith(known):
            return path.removesuffix(known), known
    return path, ""


def base(public: str, headers: Mapping[str, str], prefix: str, local: Address, *, tls: bool) -> str:
    """Where the websocket is, without its query: `public` where the settings say it, else where the request came to.

    Whoever sends a wrong Host is misled by nobody but himself: the address goes to him alone.
    """
    if public:
        return f"{public.rstrip('/')}{CONNECT}"
    host = headers.get("Host", "")
    if not _HOST.fullmatch(host):
        host = str(local)
    secure = tls or headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower() in ("https", "wss")
    return f"{'wss' if secure else 'ws'}://{host}{prefix}{CONNECT}"


def query(connection_id: str, service: int, ticket: str) -> str:
    """The id comes first: Node's SDK takes the first parameter's name for that of the whole address."""
    return f"device_id={connection_id}&service_id={service}&ticket={ticket}"
