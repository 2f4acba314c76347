"""What the envelope holds, attribute by attribute, and that nothing of the push is lost but its credentials."""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from router.envelope import Envelope
from router.feishu.callback import Event, Quarantined, receive
from router.feishu.keys import Keyring

NOW = 1608725991.25
HEADER = {
    "event_id": "5e3702a84e847582be8db7fb73283c02",
    "event_type": "corehr.department.updated_v2",
    "create_time": "1608725989123",
    "token": "a-token",
    "app_id": "cli_1",
    "tenant_key": "t1",
}
EVENT = {"department_id": "7043711774159341101", "field_changes": ["manager"]}
OPEN = Keyring([], [])
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def v2(event: Any = EVENT, extra: dict[str, Any] | None = None, **header: Any) -> dict[str, Any]:
    return {"schema": "2.0", "header": HEADER | header, "event": event} | (extra or {})


def v1(event: Mapping[str, Any], **other: Any) -> dict[str, Any]:
    outer = {"ts": "1502199207.7171419", "uuid": "u-1", "token": "a-token", "type": "event_callback"}
    return outer | {"event": {"app_id": "cli_1", "tenant_key": "t1"} | dict(event)} | other


def envelope_of(push: Mapping[str, Any] | bytes, headers: Mapping[str, str] | None = None) -> Envelope:
    body = push if isinstance(push, bytes) else json.dumps(push, ensure_ascii=False).encode()
    result = receive(OPEN, "", CIMultiDict(headers or {}), body, NOW)
    assert isinstance(result, Event)
    assert Envelope.from_json(result.envelope.json) == result.envelope._replace(created_ms=0)
    return result.envelope


def test_schema_2() -> None:
    envelope = envelope_of(v2(), {"Traceparent": TRACEPARENT})
    assert list(envelope.document().items()) == [
        ("specversion", "1.0"),
        ("id", HEADER["event_id"]),
        ("source", "feishu/cli_1/t1"),
        ("type", "corehr.department.updated_v2"),
        ("subject", "7043711774159341101"),
        ("time", "2020-12-23T12:19:49.123Z"),
        ("datacontenttype", "application/json"),
        ("appid", "cli_1"),
        ("tenantkey", "t1"),
        ("feishuschema", "2.0"),
        ("partitionkey", "feishu/cli_1/t1/7043711774159341101"),
        ("recordedtime", "2020-12-23T12:19:51.250Z"),
        ("traceparent", TRACEPARENT),
        ("data", EVENT),
    ]
    assert envelope.created_ms == 1608725989123


def test_schema_1() -> None:
    envelope = envelope_of(v1({"type": "approval_instance", "instance_code": "I-1"}, seq=7))
    document = envelope.document()
    assert (document["id"], document["type"], document["subject"]) == ("u-1", "approval_instance", "I-1")
    assert document["source"] == "feishu/cli_1/t1"
    assert document["time"] == "2017-08-08T13:33:27.717141Z"
    assert document["feishuschema"] == "1.0"
    assert document["data"]["app_id"] == "cli_1"
    assert json.loads(document["feishuheader"]) == {"seq": 7}
    assert envelope.created_ms == 0


@pytest.mark.parametrize("compact", [True, False])
def test_the_event_is_passed_whole(compact: bool) -> None:
    event = {"brand_new": [{"k": None, "html": "<&>", "名": "张三 😀", "u": "\u2028"}], "status": 99, "big": 2**63 + 1}
    separators = (",", ":") if compact else None
    for ascii_ in (True, False):
        body = json.dumps(v2(event), separators=separators, ensure_ascii=ascii_).encode()
        assert envelope_of(body).document()["data"] == event


NUMBERS = ["1.10", "0.1234567890123456789012", "18446744073709551616", "-9223372036854775809", "1e5", "1E-7", "-0.0"]
NUMBERS += ["123456789012345678901234567890", "18446744073709551615", "-9223372036854775808"]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("type_", ["corehr.department.updated_v2", "card.action.trigger"])
def test_every_digit_of_a_number_survives(number: str, type_: str) -> None:
    body = json.dumps(v2({"x": "@", "y": ["@"]}, {"other": "@"}, event_type=type_)).replace('"@"', number).encode()
    envelope = envelope_of(body)
    assert envelope.json.decode().count(number) == 3
    assert Decimal(json.loads(envelope.json, parse_float=Decimal)["data"]["x"]) == Decimal(number)


@pytest.mark.parametrize("where", ["header", "top"])
def test_every_digit_of_a_number_beside_the_event_survives(where: str) -> None:
    push = v2(EVENT, n="@") if where == "header" else {"n": "@"} | v2(EVENT)
    envelope = envelope_of(json.dumps(push, separators=(",", ":")).replace('"@"', "1.10").encode())
    assert '"n":1.10' in envelope.document()["feishuheader"]


@given(st.decimals(allow_nan=False, allow_infinity=False), st.integers())
def test_any_number_survives(fraction: Decimal, whole: int) -> None:
    text = f"{fraction:f}"[:300]
    body = b'{"schema":"2.0","header":' + orjson.dumps(HEADER) + f',"event":{{"x":[{text},{whole}]}}}}'.encode()
    result = receive(OPEN, "", {}, body, NOW)
    assert isinstance(result, Event)
    assert result.envelope.json.endswith(f'"data":{{"x":[{text},{whole}]}}}}'.encode())


def test_what_no_attribute_takes_is_kept_in_feishuheader() -> None:
    envelope = envelope_of(v2(EVENT, {"future": {"a": 1}, "token": "a-token"}, resource_id="r\u2028\x7f\U000e0001"))
    text = envelope.document()["feishuheader"]
    assert text.isprintable()
    assert json.loads(text) == {"header": {"resource_id": "r\u2028\x7f\U000e0001"}, "future": {"a": 1}}
    assert b"a-token" not in envelope.json


def test_an_unknown_schema_is_taken_as_2_and_kept() -> None:
    document = envelope_of(v2(EVENT, {"schema": "3.0"})).document()
    assert (document["feishuschema"], json.loads(document["feishuheader"])) == ("2.0", {"schema": "3.0"})


@pytest.mark.parametrize("value", [None, "", 5, [], {}, "a\x00b", "\u0085", "x" * 257])
@pytest.mark.parametrize("name", ["event_id", "app_id", "tenant_key"])
def test_an_unusable_attribute(name: str, value: Any) -> None:
    body = json.dumps(v2(**{name: value})).encode()
    document = envelope_of(body).document()
    assert json.loads(document["feishuheader"]) == {"header": {name: value}}
    if name == "event_id":
        assert document["id"] == hashlib.sha256(body).hexdigest()
    if name == "app_id":
        assert document["source"] == "feishu/-/t1"
        assert "appid" not in document
    if name == "tenant_key":
        assert document["source"] == "feishu/cli_1/-"
        assert "tenantkey" not in document


def test_the_hash_of_an_event_without_id_is_the_same_when_it_is_pushed_again() -> None:
    from router.feishu import push

    keyring = Keyring(["k"], [])
    ids = set()
    for _ in range(3):
        body, headers = push.build(v2(event_id=""), "k", NOW)
        result = receive(keyring, "", CIMultiDict(headers), body, NOW)
        assert isinstance(result, Event)
        ids.add(result.envelope.id)
    assert len(ids) == 1


def test_the_source_is_a_uri_reference() -> None:
    assert envelope_of(v2(app_id="a/b c", tenant_key="张?#")).source == "feishu/a%2Fb%20c/%E5%BC%A0%3F%23"


@pytest.mark.parametrize("type_", [None, "", 7, [], {"a": 1}, "a\nb", "x" * 257])
def test_without_a_usable_type_there_is_no_envelope(type_: Any) -> None:
    keyring = Keyring([], ["a-token"])
    assert isinstance(receive(keyring, "", {}, json.dumps(v2(event_type=type_)).encode(), NOW), Quarantined)
    assert isinstance(receive(keyring, "", {}, json.dumps(v1({"type": type_})).encode(), NOW), Quarantined)


@pytest.mark.parametrize(
    ("create_time", "time", "created_ms"),
    [
        ("1608725989123", "2020-12-23T12:19:49.123Z", 1608725989123),
        ("1608725989123456", "2020-12-23T12:19:49.123456Z", 1608725989123),
        (1608725989123, "2020-12-23T12:19:49.123Z", 1608725989123),
        ("9999999999999", "2286-11-20T17:46:39.999Z", 9999999999999),
    ],
)
def test_create_time(create_time: Any, time: str, created_ms: int) -> None:
    envelope = envelope_of(v2(create_time=create_time))
    assert (envelope.time, envelope.created_ms) == (time, created_ms)
    assert "feishuheader" not in envelope.document()


@pytest.mark.parametrize(
    "create_time", [None, "", "soon", "1608725989", "²" * 13, "-160872598912", 1.5, True, [], "1" * 99]
)
def test_a_create_time_that_is_none(create_time: Any) -> None:
    envelope = envelope_of(v2(create_time=create_time))
    assert (envelope.time, envelope.created_ms) == (envelope.recordedtime, 0)
    assert json.loads(envelope.document()["feishuheader"]) == {"header": {"create_time": create_time}}


@pytest.mark.parametrize(
    ("ts", "time"),
    [
        ("1502199207", "2017-08-08T13:33:27.000Z"),
        ("1502199207.71", "2017-08-08T13:33:27.710Z"),
        ("1502199207.7171", "2017-08-08T13:33:27.717100Z"),
        ("1502199207.", None),
        ("1502199207.7x", None),
        ("15021992071502", None),
        (1502199207, None),
    ],
)
def test_ts(ts: Any, time: str | None) -> None:
    envelope = envelope_of(v1({"type": "message"}, ts=ts))
    assert envelope.time == (time or envelope.recordedtime)
    assert ("feishuheader" in envelope.document()) == (time is None)


@pytest.mark.parametrize("event", [None, [], "text", 3, True])
def test_an_event_that_is_no_object(event: Any) -> None:
    document = envelope_of(v2(event)).document()
    assert document["data"] == event
    assert document["partitionkey"] == document["id"]
    assert "subject" not in document


def test_a_missing_event_is_an_empty_one() -> None:
    push = v2()
    del push["event"]
    assert envelope_of(push).document()["data"] == {}


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "x",
        TRACEPARENT.upper(),
        "ff" + TRACEPARENT[2:],
        TRACEPARENT + "-x",
        TRACEPARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
    ],
)
def test_an_invalid_traceparent_is_left_out(traceparent: str) -> None:
    assert "traceparent" not in envelope_of(v2(), {"traceparent": traceparent}).document()


@pytest.mark.parametrize(
    "push",
    [
        v1({"type": "app_ticket", "app_ticket": "s3cret"}),
        v2({"app_ticket": "s3cret"}, event_type="app_ticket"),
        v2({"token": "s3cret", "action": {"value": {"a": 1}}}, event_type="card.action.trigger"),
        v2({"token": "s3cret"}, event_type="url.preview.get"),
        {"open_message_id": "om_1", "tenant_key": "t1", "token": "s3cret", "action": {"tag": "button"}},
        v2(EVENT, token="s3cret"),
        v1({"type": "message"}, token="s3cret"),
        v2(EVENT, {"token": "s3cret"}),
    ],
)
def test_credentials_are_cut_out(push: dict[str, Any]) -> None:
    envelope = envelope_of(push)
    assert b"s3cret" not in envelope.json
    data = envelope.document()["data"]
    assert "token" not in data
    assert "app_ticket" not in data


def test_a_token_in_another_event_is_data() -> None:
    assert envelope_of(v2({"token": "file-1"})).document()["data"] == {"token": "file-1"}


def test_an_old_card() -> None:
    card = {"open_message_id": "om_1", "tenant_key": "t1", "token": "c-1", "action": {"tag": "button"}, "n": 1.10}
    envelope = envelope_of(json.dumps(card).replace("1.1", "1.10").encode(), {"x-refresh-token": "r-1"})
    document = envelope.document()
    assert (document["id"], document["type"], document["subject"]) == ("r-1", "card.action.trigger_v1", "om_1")
    assert document["source"] == "feishu/-/t1"
    assert document["time"] == document["recordedtime"]
    assert envelope.json.endswith(b'"n":1.10}}')
    body = json.dumps(card).encode()
    assert envelope_of(body, {"x-refresh-token": "\udc80"}).id == hashlib.sha256(body).hexdigest()
