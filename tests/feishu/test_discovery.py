"""What discovery and handshake are answered, and what follows."""

from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from router.feishu.discovery import (
    ClientConfig,
    Endpoint,
    Refusal,
    Verdict,
    read_answer,
    read_config,
    read_handshake,
    request,
)

URL = "wss://msg-frontier.feishu.cn/ws/v2?fpid=493&aid=552564&device_id=712&access_key=ak&service_id=33554678&ticket=t"
CONFIG = {"ReconnectCount": -1, "ReconnectInterval": 90, "ReconnectNonce": 25, "PingInterval": 90}


def answer(code: Any = 0, **data: Any) -> bytes:
    return orjson.dumps({"code": code, "msg": "", "data": {"URL": URL, "ClientConfig": CONFIG} | data})


def test_the_request() -> None:
    assert request("cli_1", "s") == b'{"AppID":"cli_1","AppSecret":"s"}'


def test_an_endpoint() -> None:
    endpoint = read_answer(200, answer())
    assert endpoint == Endpoint(URL, "712", 33554678, ClientConfig(-1, 90.0, 25.0, 90.0))


@pytest.mark.parametrize(
    ("config", "read"),
    [
        (None, ClientConfig(-1, 120.0, 30.0, 120.0)),
        ({}, ClientConfig(-1, 120.0, 30.0, 120.0)),
        ({"PingInterval": 2}, ClientConfig(-1, 120.0, 30.0, 2.0)),
    ],
)
def test_what_an_endpoint_does_not_say_is_as_the_sdks_assume(config: Any, read: ClientConfig) -> None:
    endpoint = read_answer(200, answer(ClientConfig=config))
    assert isinstance(endpoint, Endpoint)
    assert endpoint.config == read


@pytest.mark.parametrize(
    ("url", "connection", "service"),
    [
        ("ws://127.0.0.1:1/ws", "", 0),
        ("ws://h/?service_id=-5&device_id=a%0Ab", "a b", 0),
        ("ws://h/?service_id=99999999999999&device_id=" + "x" * 99, "x" * 64, 0),
        ("ws://h/?service_id=\u0665", "", 0),
    ],
)
def test_numbers_in_the_url(url: str, connection: str, service: int) -> None:
    endpoint = read_answer(200, answer(URL=url))
    assert isinstance(endpoint, Endpoint)
    assert (endpoint.connection_id, endpoint.service_id) == (connection, service)


@pytest.mark.parametrize("url", ["", None, 7, "http://h/", "ws:///x", "ws://[", "ws://h/\n", "/ws", "ws://h:x\x00/"])
def test_no_usable_url(url: Any) -> None:
    refusal = read_answer(200, answer(URL=url))
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.verdict) == ("no_url", Verdict.SOON)


@pytest.mark.parametrize(
    ("status", "body", "code", "verdict"),
    [
        (500, b"", "http_500", Verdict.SOON),
        (403, answer(), "http_403", Verdict.SOON),
        (200, b"<html>", "not_json", Verdict.SOON),
        (200, b"[]", "not_json", Verdict.SOON),
        (200, answer("0"), "not_json", Verdict.SOON),
        (200, answer(1.0), "not_json", Verdict.SOON),
        (200, b'{"code":0,"data":null}', "no_url", Verdict.SOON),
        (200, answer(1), "1", Verdict.SOON),
        (200, answer(1000040343), "1000040343", Verdict.SOON),
        (200, answer(1000040344), "1000040344", Verdict.FATAL),
        (200, answer(1000040350), "1000040350", Verdict.SLOWLY),
        (200, answer(403), "403", Verdict.FATAL),
        (200, answer(514), "514", Verdict.FATAL),
        (200, answer(99), "other", Verdict.FATAL),
        (200, answer(-1), "other", Verdict.FATAL),
    ],
)
def test_every_answer_has_its_verdict(status: int, body: bytes, code: str, verdict: Verdict) -> None:
    refusal = read_answer(status, body)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.verdict) == (code, verdict)
    assert refusal.meaning
    assert refusal.remedy or verdict is Verdict.SOON
    assert ("may pass" in refusal.remedy) == (status >= 500)


@pytest.mark.parametrize(
    ("status", "headers", "code", "verdict"),
    [
        (200, {"Handshake-Status": "514", "Handshake-Autherrcode": "1000040350"}, "1000040350", Verdict.SLOWLY),
        (400, {"handshake-status": "514", "handshake-autherrcode": "7"}, "handshake_514", Verdict.SOON),
        (400, {"Handshake-Status": "514"}, "handshake_514", Verdict.SOON),
        (400, {"Handshake-Status": "403", "Handshake-Msg": "no\r\nway"}, "403", Verdict.FATAL),
        (403, {}, "handshake_403", Verdict.SOON),
        (503, {"Handshake-Status": "x"}, "handshake_503", Verdict.SOON),
    ],
)
def test_every_handshake_has_its_verdict(status: int, headers: dict[str, str], code: str, verdict: Verdict) -> None:
    refusal = read_handshake(status, CIMultiDict(headers))
    assert (refusal.code, refusal.verdict) == (code, verdict)
    assert refusal.said.isprintable()


def test_what_was_said_is_bounded_and_on_one_line() -> None:
    refusal = read_answer(200, orjson.dumps({"code": 514, "msg": "a\n" + "b" * 500}))
    assert isinstance(refusal, Refusal)
    assert refusal.said == ("a " + "b" * 500)[:200]


BEFORE = ClientConfig(7, 20.0, 10.0, 50.0)


@pytest.mark.parametrize(
    ("given_", "read"),
    [
        (CONFIG, ClientConfig(-1, 90.0, 25.0, 90.0)),
        ({"PingInterval": 2}, BEFORE._replace(ping_interval=2.0)),
        (CONFIG | {"ReconnectNonce": "x"}, ClientConfig(-1, 90.0, 10.0, 90.0)),
        (CONFIG | {"ReconnectInterval": -5, "ReconnectNonce": None}, ClientConfig(-1, 20.0, 10.0, 90.0)),
        (CONFIG | {"ReconnectCount": "3", "PingInterval": True}, ClientConfig(7, 90.0, 25.0, 50.0)),
        (CONFIG | {"ReconnectInterval": 0, "ReconnectNonce": 0}, ClientConfig(-1, 1.0, 1.0, 90.0)),
        (CONFIG | {"PingInterval": 0}, ClientConfig(-1, 90.0, 25.0, 50.0)),
        (CONFIG | {"ReconnectInterval": 1e9, "PingInterval": 0.5}, ClientConfig(-1, 3600.0, 25.0, 1.0)),
        (CONFIG | {"PingInterval": 3600, "New": []}, ClientConfig(-1, 90.0, 25.0, 120.0)),
    ],
)
def test_each_field_of_a_configuration_stands_for_itself(given_: Any, read: ClientConfig) -> None:
    assert read_config(given_, BEFORE) == read


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=3))
@example(10**400)
def test_whatever_a_field_is_all_are_within_bounds_and_the_others_count(value: Any) -> None:
    whole = read_config(CONFIG, BEFORE)
    for place, name in enumerate(CONFIG):
        config = read_config(CONFIG | {name: value}, BEFORE)
        assert all(1.0 <= each <= 3600.0 for each in config[1:])
        assert config.ping_interval <= 120.0
        assert config[:place] + config[place + 1 :] == whole[:place] + whole[place + 1 :]
    assert read_config(value, BEFORE) == BEFORE


def test_a_configuration_is_written_whole() -> None:
    assert ClientConfig(-1, 90.0, 25.0, 90.0).document() == CONFIG


@given(st.integers(100, 599), st.binary(max_size=60))
def test_any_answer_is_read(status: int, body: bytes) -> None:
    assert isinstance(read_answer(status, body), Refusal)
