"""Addresses to listen on: `127.0.0.1:8080`, `[::1]:8080`, `:8080` for every interface."""

from ipaddress import ip_address
from typing import NamedTuple


class Address(NamedTuple):
    """Where to listen. host "" is every interface; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        """As it is written in the settings."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def everywhere(self) -> bool:
        """Whether it takes the port on every interface."""
        return self.host in ("", "0.0.0.0", "::", "*")  # noqa: S104 - recognised, not bound


def parse_address(text: str) -> Address:
    """`host:port` → Address. Raises ValueError with a message for people."""
    host, colon, port = text.strip().rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError("expected address:port such as 127.0.0.1:8080, [::1]:8080 or :8080")
    if host.startswith("[") and host.endswith("]"):
        host = _ipv6(host[1:-1])
    elif ":" in host or "[" in host or "]" in host or any(c.isspace() or c == "/" for c in host):
        raise ValueError("expected address:port such as 127.0.0.1:8080; an IPv6 address stands in brackets: [::1]:8080")
    return Address("" if host == "*" else host, int(port))


def collide(one: Address, other: Address) -> bool:
    """Whether both can't be listened on at once."""
    if one.port != other.port or one.port == 0:
        return False
    return one.everywhere or other.everywhere or one.host.lower() == other.host.lower()


def _ipv6(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if address is None or address.version != 6:
        raise ValueError("what stands in brackets must be an IPv6 address: [::1]:8080")
    return host
