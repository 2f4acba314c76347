import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sinks.http.settings import HttpSettings, describe, remarks

SECRET = "s3cr3t-that-is-never-shown-0123456789"


def settings(**values: Any) -> HttpSettings:
    return HttpSettings.model_validate({"type": "http", "url": "https://h.example/hook"} | values)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/",
        "h.example/hook",
        "https://",
        "https:///x",
        "https://h:99999/",
        "https://h:0/",
        "https://h:x/",
        "https://a b/",
        "https://h/\r\nEvil: 1",
        "https://[::1/",
        f"https://user:{SECRET}@h/",
        f"https://{SECRET}@h/",
        "https://" + "a" * 70 + "/",
    ],
)
def test_a_bad_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(url=url)
    assert SECRET not in str(caught.value)


def test_credentials_in_the_url_say_where_they_belong() -> None:
    with pytest.raises(ValidationError, match="BASIC_USERNAME"):
        settings(url="https://u:p@h/")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "https://h.example/a%20b?x=1#f", "https://[::1]:9/", "https://例え.jp/"]
)
def test_a_good_url_is_taken(url: str) -> None:
    assert settings(url=url).url.get_secret_value() == url


@pytest.mark.parametrize(
    "headers",
    [
        SECRET,
        f": {SECRET}",
        f"Bad Name: {SECRET}",
        f"X-A: {SECRET}\nX-B {SECRET}",
        f"X-A: {SECRET}\x00",
        f"X-A: {SECRET} ä",
        f"Content-Type: {SECRET}",
        f"content-length: {SECRET}",
        f"Transfer-Encoding: {SECRET}",
        f"ce-id: {SECRET}",
        f"Webhook-Signature: {SECRET}",
        f"X-A: {SECRET}\nx-a: 2",
        f"Authorization: {SECRET}",
    ],
)
def test_bad_headers_are_refused_without_repeating_their_values(headers: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(headers=headers, bearer_token="t")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        ("X-A: 1", [("X-A", "1")]),
        ("X-A:1", [("X-A", "1")]),
        ("X-A: 1, X-B: 2", [("X-A", "1"), ("X-B", "2")]),
        ("X-A: 1, 2, X-B: http://h:1/,3", [("X-A", "1, 2"), ("X-B", "http://h:1/,3")]),
        ("X-A: 1, B: 2\nX-C: 3\n", [("X-A", "1, B: 2"), ("X-C", "3")]),
        ("X-Empty:", [("X-Empty", "")]),
    ],
)
def test_headers_are_read_from_lines_or_commas(text: str, pairs: list[tuple[str, str]]) -> None:
    assert settings(headers=text).header_pairs() == pairs


@given(st.text(max_size=60))
def test_no_header_text_can_smuggle_another_line(text: str) -> None:
    try:
        pairs = settings(headers=text).header_pairs()
    except ValidationError:
        return
    for name, value in pairs:
        assert name.isascii()
        assert not set("\r\n\0") & set(name + value)


@pytest.mark.parametrize(
    "secret",
    [
        "whsec_" + "!" * 40,
        "whsec_" + base64.b64encode(b"short").decode(),
        "short",
        "whsk_" + "a" * 44,
        "whpk_" + "a" * 44,
    ],
)
def test_bad_signing_secrets_are_refused_without_repeating_them(secret: str) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(signing_secrets=secret)
    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bearer_token": "t", "basic_username": "u", "basic_password": "p"}, "exclude"),
        ({"basic_username": "u"}, "belong together"),
        ({"basic_password": "p"}, "belong together"),
        ({"basic_username": "u:v", "basic_password": "p"}, "colon"),
        ({"bearer_token": "a b"}, "ASCII"),
        ({"bearer_token": "a\r\nb"}, "ASCII"),
        ({"tls_key_file": "/k"}, "TLS_CERT_FILE"),
        ({"url": "http://h/", "tls_ca_file": "/c"}, "https://"),
        ({"url": "http://h/", "tls_cert_file": "/c"}, "https://"),
        ({"method": "GET"}, "POST"),
        ({"format": "xml"}, "structured"),
        ({"user_agent": "a\r\nb"}, "pattern"),
        ({"proxy": "socks5://h:1"}, "URL"),
        ({"rejected_statuses": "abc"}, "status"),
        ({"rejected_statuses": "599-500"}, "status"),
        ({"rejected_statuses": "099"}, "status"),
        ({"rejected_statuses": "404", "retry_statuses": "404"}, "404 is in RETRY_STATUSES and in REJECTED_STATUSES"),
        ({"rejected_statuses": "4xx", "retry_statuses": "400-499"}, "400-499"),
        ({"concurrency": 0}, "concurrency"),
        ({"timeout_seconds": "0"}, "timeout_seconds"),
        ({"encrypt_key": "k"}, "ENCRYPT_KEY: only with FORMAT=feishu"),
        (
            {"format": "data", "encrypt_key": "k", "verification_token": "t", "verify_url": "1"},
            "ENCRYPT_KEY, VERIFICATION_TOKEN, VERIFY_URL: only",
        ),
        ({"format": "batch", "empty_answer": "unavailable"}, "EMPTY_ANSWER: only with FORMAT=feishu, and it is batch"),
        ({"format": "feishu", "empty_answer": "retry"}, "delivered"),
        ({"format": "feishu", "method": "PUT"}, "POST"),
        ({"format": "feishu", "headers": "x-lark-signature: s"}, "FORMAT=feishu sets itself"),
        ({"format": "feishu", "encrypt_key": "one\ntwo"}, "one line"),
        ({"format": "feishu", "verification_token": "a\x00b"}, "one line"),
    ],
)
def test_what_does_not_fit_is_refused(values: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(**values)


def test_format_feishu_has_feishus_limits_and_agent_unless_others_are_given() -> None:
    plain, feishu = settings(), settings(format="feishu")
    assert (plain.connect_seconds, plain.seconds, plain.agent) == (5.0, 30.0, "feishu-event-router")
    assert (feishu.connect_seconds, feishu.seconds, feishu.agent) == (2.0, 3.0, "Go-http-client/1.1")
    own = settings(format="feishu", connect_timeout_seconds="1s", timeout_seconds="20s", user_agent="a/1")
    assert (own.connect_seconds, own.seconds, own.agent) == (1.0, 20.0, "a/1")


def test_what_goes_with_every_format_goes_with_feishu() -> None:
    made = settings(format="feishu", signing_secrets=SECRET, bearer_token="t", headers="X-Gate: 1", encrypt_key=" k ")
    assert made.encrypt_key is not None
    assert made.encrypt_key.get_secret_value() == "k"
    assert describe(made) == "POST https://h.example/hook (feishu, encrypted)"
    assert describe(settings(format="feishu")) == "POST https://h.example/hook (feishu, not encrypted)"


def test_nothing_secret_is_shown() -> None:
    made = settings(
        url=f"https://h.example/hook/{SECRET}?key={SECRET}",
        headers=f"X-Key: {SECRET}",
        bearer_token=SECRET,
        signing_secrets=SECRET,
        proxy=f"http://user:{SECRET}@proxy.example:3128",
    )
    for text in (repr(made), str(made), made.model_dump_json(), describe(made)):
        assert SECRET not in text
    assert describe(made) == "POST https://h.example/hook/…?… (structured) through http://proxy.example:3128"
    feishu = settings(format="feishu", encrypt_key=SECRET, verification_token=SECRET)
    assert SECRET not in repr(feishu) + describe(feishu)
    basic = settings(basic_username="u", basic_password=SECRET, tls_verify="false")
    assert SECRET not in repr(basic)
    assert describe(basic).endswith("(structured) CERTIFICATE NOT VERIFIED")


def test_what_leaves_a_wrong_key_unnoticed_is_remarked() -> None:
    assert remarks(settings()) == []
    assert remarks(settings(format="feishu", encrypt_key="k", verify_url=True)) == []
    assert remarks(settings(format="feishu", verification_token="t", verify_url=True)) == []
    both = remarks(settings(format="feishu"))
    assert [name for remark in both for name in ("ENCRYPT_KEY", "VERIFY_URL=true") if name in remark] == [
        "ENCRYPT_KEY",
        "VERIFY_URL=true",
    ]
