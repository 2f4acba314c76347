"""There and back: a push, its envelope, the push again."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.envelope import Envelope
from router.feishu.callback import Event, arrived
from router.feishu.rebuild import to_push
from router.feishu.samples import sample, seed_types
from router.feishu.seeds import SEEDS
from tests.feishu.test_envelopes import EVENT, HEADER, NOW, envelope_of, v1, v2
from tests.hostile.texts import VALID, members, quoted


def again(push: Any) -> Any:
    return orjson.loads(to_push(envelope_of(push), "theirs"))


@pytest.mark.parametrize("type_", seed_types())
def test_the_five_events(type_: str) -> None:
    document = sample(type_) | {"event": SEEDS[type_]}
    wanted = document | {"header": document["header"] | {"token": "theirs"}}
    assert to_push(envelope_of(document), "theirs") == orjson.dumps(wanted)


def test_schema_2_has_the_receivers_token() -> None:
    assert again(v2()) == v2(token="theirs")
    assert list(again(v2())) == ["schema", "header", "event"]
    assert orjson.loads(to_push(envelope_of(v2())))["header"]["token"] == ""


def test_microseconds_stay() -> None:
    assert again(v2(create_time="1608725989123456"))["header"]["create_time"] == "1608725989123456"


@pytest.mark.parametrize("time", ["", "soon", 7, None, "99"])
def test_a_time_that_is_none_stays_as_it_came(time: Any) -> None:
    assert again(v2(create_time=time))["header"]["create_time"] == time


def test_without_a_time_the_arrival_counts() -> None:
    push = v2()
    del push["header"]["create_time"]
    assert again(push)["header"]["create_time"] == "1608725991250"


def test_what_was_not_there_stays_away() -> None:
    push = v2()
    del push["header"]["app_id"], push["header"]["tenant_key"]
    assert again(push) == push | {"header": push["header"] | {"token": "theirs"}}


def test_what_no_attribute_holds_comes_back() -> None:
    extra = {"schema": "3.0", "odd": [1, 1.50, {"a": None}], "challenge": "x"}
    push = v2(extra=extra, resource_id="r", app_id=7)
    found = again(push)
    assert found["header"] | {"token": "a-token"} == push["header"]
    assert {name: found[name] for name in extra} == extra


@pytest.mark.parametrize("id_", [7, "", None, {"a": 1}])
def test_an_id_that_is_none_gives_way_to_the_envelopes(id_: Any) -> None:
    event = envelope_of(v2(event_id=id_))
    assert orjson.loads(to_push(event))["header"]["event_id"] == event.id
    event = envelope_of(v1({"type": "approval_task"}, uuid=id_))
    assert orjson.loads(to_push(event))["uuid"] == event.id


def test_schema_1() -> None:
    push = v1({"type": "approval_task", "task_id": "1"}, more=1.0)
    assert again(push) == push | {"token": "theirs", "ts": "1502199207.717141"}
    assert list(again(push))[-1] == "event"


@pytest.mark.parametrize(("ts", "back"), [("1502199207.71", "1502199207.71"), ("1502199207", "1502199207"), ("x", "x")])
def test_times_of_schema_1(ts: str, back: str) -> None:
    assert again(v1({"type": "approval_task"}, ts=ts))["ts"] == back


def test_every_digit_stays() -> None:
    event = b'{"n":12345678901234567890123,"f":0.1000000000000000055,"e":1E5}'
    extra = b'"big":98765432109876543210987'
    body = orjson.dumps(v2(event=orjson.Fragment(event)))[:-1] + b"," + extra + b"}"
    made = to_push(envelope_of(body))
    assert event in made
    assert extra in made


def test_a_credential_does_not_come_back() -> None:
    card = v2({"token": "c-123", "action": {}}, event_type="card.action.trigger")
    assert again(card)["event"] == {"action": {}}


def test_a_marked_event_is_the_same_push() -> None:
    event = envelope_of(v2())
    assert to_push(event.marked(replayid="7", note=',"data":1')) == to_push(event)


def test_what_has_no_data_is_refused() -> None:
    event = envelope_of(v2())
    with pytest.raises(ValueError, match="no data"):
        to_push(event._replace(json=b"{}"))


@given(st.data())
def test_there_and_back_changes_nothing(data: st.DataObject) -> None:
    """Whatever valid JSON an event, a header and the top level hold, also with names and values that look like others'."""
    event = data.draw(members(VALID))
    header = HEADER | data.draw(st.dictionaries(st.sampled_from(["app_id", "tenant_key"]), st.text()))
    more = data.draw(members(VALID, st.sampled_from(['x,"data":', "resource", "odd"]), least=1))
    odd = data.draw(quoted())
    body = f'{{"schema":"2.0","odd,\\"data\\":":{odd},"more":{more},"header":{json.dumps(header)},"event":{event}}}'
    first = envelope_of(body.encode())
    again = arrived("", "", to_push(first), NOW)
    assert isinstance(again, Event)
    _same(first, again.envelope)


@given(members(VALID), st.text(st.characters(categories=("L", "N")), min_size=1), st.integers(0, 9_999_999))
def test_there_and_back_in_schema_1(inner: str, uuid: str, fraction: int) -> None:
    event = '{"type":"leave_approval",' + (inner.strip()[1:-1].strip() or '"a":1') + "}"
    body = f'{{"uuid":{json.dumps(uuid)},"ts":"1502199207.{fraction}","type":"event_callback","event":{event}}}'
    try:
        first = envelope_of(body.encode())
    except AssertionError:
        return  # a `type` within took the first one's place
    again = arrived("", "", to_push(first), NOW)
    assert isinstance(again, Event)
    _same(first, again.envelope)


def _same(first: Envelope, second: Envelope) -> None:
    documents = first.document(), second.document()
    others = [json.loads(each.pop("feishuheader", "{}"), parse_float=str, parse_int=str) for each in documents]
    assert others[0] == others[1]
    assert documents[0] == documents[1]
    raw = [event.json.partition(b',"data":')[2] for event in (first, second)]
    assert raw[0] == raw[1]


def test_the_event_of_both_roads_is_one() -> None:
    by_webhook = envelope_of(v2())
    by_connection = arrived("hr", "cli_other", orjson.dumps(v2(token="")), NOW)
    assert isinstance(by_connection, Event)
    assert by_connection.envelope == by_webhook
    assert by_webhook.document()["data"] == EVENT
