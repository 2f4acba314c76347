"""Where a program is told to connect."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from router.feishu.discovery import PATH, Endpoint, read_answer
from router.settings.address import Address
from router.subscribers.addresses import CONNECT, base, place, query

LOCAL = Address("127.0.0.1", 8090)


@pytest.mark.parametrize(
    ("raw", "prefix", "where"),
    [
        (PATH, "", PATH),
        (f"/{PATH}", "", PATH),
        (f"{PATH}?a=/b", "", PATH),
        (f"/lc/a{PATH}", "/lc/a", PATH),
        (f"//lc///a{CONNECT}?x", "/lc/a", CONNECT),
        (f"{PATH}/", f"{PATH}/", ""),
        ("/", "/", ""),
    ],
)
def test_what_stands_before_the_path_may_be_anything(raw: str, prefix: str, where: str) -> None:
    assert place(raw) == (prefix, where)


@pytest.mark.parametrize(
    ("headers", "tls", "address"),
    [
        ({"Host": "a.example"}, False, "ws://a.example/p"),
        ({"host": "a.example:8090"}, True, "wss://a.example:8090/p"),
        ({"Host": "[::1]:8090", "X-Forwarded-Proto": "https"}, False, "wss://[::1]:8090/p"),
        ({"Host": "a", "X-Forwarded-Proto": "http, https"}, False, "ws://a/p"),
        ({"Host": 'a"/?x'}, False, "ws://127.0.0.1:8090/p"),
        ({}, False, "ws://127.0.0.1:8090/p"),
    ],
)
def test_as_the_program_asked(headers: dict[str, str], address: str, *, tls: bool) -> None:
    assert base("", CIMultiDict(headers), "/p", LOCAL, tls=tls) == address + CONNECT


def test_what_the_settings_say_comes_first() -> None:
    assert base("wss://a.example/x/", {"Host": "b"}, "/p", LOCAL, tls=False) == f"wss://a.example/x{CONNECT}"


@given(st.text())
def test_any_host_gives_an_address_that_can_be_read(host: str) -> None:
    url = f"{base('', {'Host': host}, '', LOCAL, tls=False)}?{query('17', 1, 'ticket')}"
    found = read_answer(200, b'{"code":0,"data":{"URL":"%s"}}' % url.encode())
    assert isinstance(found, Endpoint)
    assert (found.connection_id, found.service_id) == ("17", 1)
