"""Whose push it was, behind proxies that we trust."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """CIDR texts → networks; a bare address is a network of one. Raises ValueError naming the one that is wrong."""
    return tuple(_network(text) for text in texts)


def client_address(peer: str, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str:
    """The address nearest to us that is no trusted proxy.

    peer: who is at the other end of the socket; forwarded_for: the X-Forwarded-For lines in the order they came.
    Proxies append, so the list is read from the right: only what a trusted proxy wrote is believed. An entry that is
    no address ends the search: the proxy that passed it on is named instead. All entries trusted: the leftmost.
    """
    if not trusted or not forwarded_for:
        return peer
    believed = peer
    for entry in reversed(",".join(forwarded_for).split(",")):
        if not _within(believed, trusted):
            break
        address = _address(entry)
        if address is None:
            break
        believed = str(address)
    return believed


def _network(text: str) -> Network:
    try:
        return ip_network(text.strip())
    except ValueError as error:
        raise ValueError(f"expected a network such as 10.0.0.0/8 or fd00::/8: {error}") from None


def _within(text: str, networks: Sequence[Network]) -> bool:
    address = _address(text)
    return address is not None and any(address in network for network in networks)


def _address(entry: str) -> IPv4Address | IPv6Address | None:
    """`1.2.3.4`, `1.2.3.4:5678`, `::1`, `[::1]:5678` → address; None for anything else."""
    text = entry.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(
            text.partition("%")[0]
        )  # a zone may be any text, and names an interface of somebody else's
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
