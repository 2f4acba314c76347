"""No page in a browser may use the admin port."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.admin.browsers import foreign
from router.settings.address import parse_address

HERE = parse_address("127.0.0.1:9464")


@pytest.mark.parametrize(
    ("host", "listen", "ours"),
    [
        ("127.0.0.1:9464", "127.0.0.1:9464", True),
        ("127.0.0.1", "127.0.0.1:9464", True),
        ("LOCALHOST:9464", "127.0.0.1:9464", True),
        ("127.9.9.9:80", "127.0.0.1:9464", True),
        ("[::1]:9464", "[::1]:9464", True),
        ("evil.example", "127.0.0.1:9464", False),
        ("localhost.evil.example", "127.0.0.1:9464", False),
        ("127.0.0.1.evil.example:9464", "127.0.0.1:9464", False),
        ("127.0.0.1@evil.example", "127.0.0.1:9464", False),
        ("10.0.0.1:9464", "127.0.0.1:9464", False),
        ("0.0.0.0:9464", "127.0.0.1:9464", False),
        ("", "127.0.0.1:9464", False),
        ("[::1", "127.0.0.1:9464", False),
        ("2130706433", "127.0.0.1:9464", False),
    ],
)
def test_the_host_must_be_this_machine(host: str, listen: str, ours: bool) -> None:
    assert (foreign(host, None, parse_address(listen), trusted=False) is None) == ours
    assert foreign(host, None, parse_address(listen), trusted=True) is None


def test_what_names_no_host_is_no_browser() -> None:
    assert foreign(None, None, HERE, trusted=False) is None
    assert foreign(None, "http://x", HERE, trusted=False)


@pytest.mark.parametrize(
    ("origin", "ours"),
    [
        ("http://localhost:9464", True),
        ("https://LOCALHOST:9464", True),
        ("http://localhost", False),
        ("http://localhost:8080", False),
        ("null", False),
        ("", False),
        ("file://", False),
        ("http://evil.example", False),
        ("http://localhost:9464@evil.example", False),
        ("http://[", False),
    ],
)
@pytest.mark.parametrize("trusted", [True, False])
def test_the_origin_must_be_the_port_itself(origin: str, ours: bool, trusted: bool) -> None:
    assert (foreign("localhost:9464", origin, HERE, trusted=trusted) is None) == ours


@given(st.text(), st.text())
def test_no_header_breaks_it(host: str, origin: str) -> None:
    foreign(host, origin, HERE, trusted=False)
    foreign(host, None, HERE, trusted=False)
