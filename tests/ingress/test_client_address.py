"""The client's address behind proxies, as a pure function."""

from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ingress.client_address import client_address, parse_networks

TRUSTED = parse_networks(["10.0.0.0/8", "fd00::/8", "192.0.2.7"])
inside = st.integers(0, 2**24 - 1).map(lambda n: str(IPv4Address(0x0A000000 + n)))
outside = st.integers(0x0B000000, 0x0BFFFFFF).map(lambda n: str(IPv4Address(n)))
anyone = st.ip_addresses().map(str)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["1.2.3.4"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["6.6.6.6", "203.0.113.9,10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["2001:db8::1, fd00::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("192.0.2.7", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["2001:db8::1%any text <b> at all"], "2001:db8::1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", [","], "10.0.0.1"),
        ("", ["203.0.113.9"], ""),
    ],
)
def test_client_address(peer: str, forwarded: list[str], client: str) -> None:
    assert client_address(peer, forwarded, TRUSTED) == client


@given(anyone, st.lists(st.text()))
def test_nobody_is_believed_when_nobody_is_trusted(peer: str, forwarded: list[str]) -> None:
    assert client_address(peer, forwarded, ()) == peer


@given(outside, st.lists(st.text()))
def test_a_stranger_is_never_believed(peer: str, forwarded: list[str]) -> None:
    assert client_address(peer, forwarded, TRUSTED) == peer


@given(inside, st.lists(st.text()), outside, st.lists(inside, max_size=4))
def test_what_a_client_invents_never_counts(peer: str, invented: list[str], client: str, hops: list[str]) -> None:
    chain = [*invented, ", ".join([client, *hops])]
    assert client_address(peer, chain, TRUSTED) == client


@given(inside, st.lists(st.text(alphabet="0123456789abcdef.:,[]%z \t", max_size=40)))
def test_the_outcome_is_always_an_address(peer: str, forwarded: list[str]) -> None:
    address = client_address(peer, forwarded, TRUSTED)
    assert str(ip_address(address)) == address
    assert "%" not in address


@pytest.mark.parametrize("text", ["nonsense", "10.0.0.0/33", "10.0.0.1/8", ""])
def test_a_wrong_network_is_an_error_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="expected a network such as"):
        parse_networks([text])
