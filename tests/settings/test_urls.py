from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from router.settings.urls import check_proxy, parse_domain


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("feishu", "https://open.feishu.cn"),
        ("Lark", "https://open.larksuite.com"),
        ("https://open.feishu.cn", "https://open.feishu.cn"),
        ("https://open.feishu.cn/", "https://open.feishu.cn"),
        ("HTTP://127.0.0.1:7777", "http://127.0.0.1:7777"),
        ("http://[::1]:7777/", "http://[::1]:7777"),
        ("https://router.example/lc/sink-a/", "https://router.example/lc/sink-a"),
    ],
)
def test_domains(text: str, url: str) -> None:
    assert parse_domain(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "open.feishu.cn",
        "wss://open.feishu.cn",
        "https://",
        "https://user:password@open.feishu.cn",
        "https://open.feishu.cn?x=1",
        "https://open.feishu.cn#x",
        "https://open.feishu.cn:port",
        "https://open.feishu.cn:0",
        "https://open.feishu.cn:99999",
        "https://open feishu.cn",
        "https://open.feishu.cn/\n",
        "https://飞书.cn",
        "https://[::1",
        "",
    ],
)
def test_what_is_no_domain(text: str) -> None:
    with pytest.raises(ValueError, match="must be feishu, lark, or an address"):
        parse_domain(text)


@given(st.text() | st.text().map("https://x{}".format))
def test_any_text_is_a_domain_or_a_fault(text: str) -> None:
    with suppress(ValueError):
        url = parse_domain(text)
        assert parse_domain(url) == url


@pytest.mark.parametrize("url", ["http://proxy:3128", "https://user:pass@proxy.example", "http://10.0.0.1:3128/"])
def test_proxies(url: str) -> None:
    assert check_proxy(SecretStr(url)) == SecretStr(url)
    assert check_proxy(None) is None


@pytest.mark.parametrize("url", ["proxy:3128", "socks5://proxy", "http://proxy/path", "http://proxy?secret"])
def test_what_is_no_proxy(url: str) -> None:
    with pytest.raises(ValueError, match="proxy's address") as caught:
        check_proxy(SecretStr(url))
    assert url not in str(caught.value)
