import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.settings.address import Address, collide, parse_address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        (" localhost:0 ", "localhost", 0),
        (":80", "", 80),
        ("*:80", "", 80),
        ("[::1]:65535", "::1", 65535),
    ],
)
def test_parses(text: str, host: str, port: int) -> None:
    assert parse_address(text) == (host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8080",
        "localhost",
        "a:",
        "a:b",
        "a:65536",
        "a:-1",
        "::1:80",
        "[x]:80",
        "[127.0.0.1]:80",
        "http://a:80",
        "a:٣",
    ],
)
def test_refuses_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"8080|\[::1\]"):
        parse_address(text)


@given(st.ip_addresses() | st.sampled_from(["localhost", ""]), st.integers(0, 65535))
def test_written_and_read_again(host: object, port: int) -> None:
    address = Address(str(host), port)
    assert parse_address(str(address)) == address


@given(st.text())
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert 0 <= address.port <= 65535


@given(st.ip_addresses(v=4))
def test_loopback_is_127_of_all_ipv4(host: object) -> None:
    assert Address(str(host), 1).loopback == str(host).startswith("127.")


def test_collision() -> None:
    here, everywhere = Address("127.0.0.1", 80), Address("", 80)
    assert collide(here, everywhere)
    assert collide(Address("localhost", 80), Address("LOCALHOST", 80))
    assert not collide(here, Address("127.0.0.2", 80))
    assert not collide(here, Address("", 81))
    assert not collide(Address("", 0), Address("", 0))
