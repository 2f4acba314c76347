"""Format feishu, against a receiver that checks each push as Feishu's SDKs do."""

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from aiohttp import web
from multidict import CIMultiDict

from router.envelope import Envelope
from router.feishu.callback import receive
from router.feishu.keys import Keyring
from router.feishu.results import Challenge, Event, Result
from sinks.contract import DELIVERED, Rejected, Retry, SinkNotReadyError, Unavailable
from tests.doubles.receiver import Behaviour, Received, Receiver, hang, hang_up, reply, reset_within
from tests.sinks.http.conftest import OpenSink
from tests.sinks.http.samples import envelope

KEY = "key-of-the-receiver"
TOKEN = "token-of-the-receiver"
FEISHU = {"format": "feishu", "encrypt_key": KEY, "verification_token": TOKEN}
NOW = 1_800_000_000.0


def read(received: Received, key: str = KEY, token: str = TOKEN) -> Result:
    return receive(Keyring([key], [token]), "app", CIMultiDict(received.headers), received.body, NOW)


def program(key: str = KEY, token: str = TOKEN, bad: int = 500) -> Behaviour:
    """A program with an SDK: answers 200 to what is authentic and echoes challenges, else `bad` without a body."""

    async def behave(receiver: Receiver, request: web.BaseRequest, received: Received) -> web.StreamResponse:
        match read(received, key, token):
            case Challenge(answer):
                return web.Response(body=answer)
            case Event():
                return web.json_response({"msg": "success"})
        return web.Response(status=bad)

    return behave


def v1(event_id: str = "u1") -> Envelope:
    body = {
        "ts": "1502199207.71",
        "uuid": event_id,
        "token": TOKEN,
        "type": "event_callback",
        "event": {"type": "approval_instance", "app_id": "cli_1", "tenant_key": "t1", "instance_code": "i1"},
    }
    result = receive(Keyring([], [TOKEN]), "app", {}, orjson.dumps(body), NOW)
    assert isinstance(result, Event)
    return result.envelope


async def test_an_event_is_pushed_encrypted_and_signed_with_the_receivers_own_key_and_token(
    open_sink: OpenSink,
) -> None:
    async with Receiver() as receiver:
        sink = await open_sink(url=receiver.url, **FEISHU)
        assert (sink.max_events, sink.keeps_order) == (1, False)
        assert await sink.deliver([envelope()]) == [DELIVERED]
        [got] = receiver.requests
        assert re.fullmatch(rb'\{"encrypt":"[A-Za-z0-9+/]+={0,2}"\}', got.body), "one SDK verifies nothing else"
        assert got.headers["content-type"] == "application/json;charset=utf-8"
        assert got.headers["user-agent"] == "Go-http-client/1.1"
        assert got.headers["webhook-id"] == "e1"
        names = {name.decode() for name, _ in got.raw_headers}
        assert names >= {"X-Lark-Request-Timestamp", "X-Lark-Request-Nonce", "X-Lark-Signature"}
        result = read(got)
        assert isinstance(result, Event)
        assert result.envelope.document() | {"recordedtime": ""} == envelope().document() | {"recordedtime": ""}


async def test_without_a_key_it_is_plain_and_without_signature(open_sink: OpenSink) -> None:
    async with Receiver() as receiver:
        sink = await open_sink(url=receiver.url, format="feishu", verification_token=TOKEN, user_agent="mine/1")
        assert await sink.deliver([envelope()]) == [DELIVERED]
        [got] = receiver.requests
        header = (
            '{"event_id":"e1","event_type":"corehr.department.updated_v2","create_time":"1795222923004",'
            f'"token":"{TOKEN}","app_id":"cli_1","tenant_key":"t1"}}'
        )
        event = r'{"department_id":"d1","name":"人事 \"部\""}'
        assert got.body.decode() == f'{{"schema":"2.0","header":{header},"event":{event}}}'
        assert got.headers["user-agent"] == "mine/1"
        assert not [name for name in got.headers if name.startswith("x-lark")]


async def test_an_event_of_schema_1_goes_out_as_such(open_sink: OpenSink) -> None:
    async with Receiver() as receiver:
        sink = await open_sink(url=receiver.url, **FEISHU)
        assert await sink.deliver([v1()]) == [DELIVERED]
        result = read(receiver.requests[0])
        assert isinstance(result, Event)
        assert result.envelope == v1()


async def test_each_attempt_is_sealed_and_signed_anew(open_sink: OpenSink) -> None:
    async with Receiver(behave=reply(500)) as receiver:
        sink = await open_sink(url=receiver.url, **FEISHU)
        await sink.deliver([envelope()])
        await sink.deliver([envelope()])
        first, second = receiver.requests
        assert first.body != second.body
        assert first.headers["x-lark-request-nonce"] != second.headers["x-lark-request-nonce"]
        assert isinstance(read(first), Event)
        assert isinstance(read(second), Event)


@pytest.mark.parametrize("status", [201, 202, 204, 299])
async def test_only_200_is_delivered(open_sink: OpenSink, status: int) -> None:
    async with Receiver(behave=reply(status)) as receiver:
        sink = await open_sink(url=receiver.url, **FEISHU)
        [outcome] = await sink.deliver([envelope()])
        assert isinstance(outcome, Retry)
        assert outcome.reason == f"http_{status}"
        assert "only 200" in outcome.detail
        lenient = await open_sink(url=receiver.url, delivered_statuses="2xx", **FEISHU)
        assert await lenient.deliver([envelope()]) == [DELIVERED]


@pytest.mark.parametrize(("status", "kind"), [(500, Retry), (401, Unavailable), (503, Unavailable), (400, Rejected)])
async def test_other_answers_mean_what_they_mean_in_every_format(
    open_sink: OpenSink, status: int, kind: type[object]
) -> None:
    async with Receiver(behave=reply(status)) as receiver:
        sink = await open_sink(url=receiver.url, **FEISHU)
        [outcome] = await sink.deliver([envelope()])
        assert type(outcome) is kind


async def test_a_program_that_dies_of_an_event_is_unavailable(open_sink: OpenSink) -> None:
    async with Receiver(behave=hang_up) as receiver:
        sink = await open_sink(url=receiver.url, **FEISHU)
        [outcome] = await sink.deliver([envelope()])
        assert isinstance(outcome, Unavailable)
        assert outcome.reason == "disconnected"


@pytest.mark.parametrize(
    ("behave", "settings", "reason"),
    [
        (reply(200), {}, ""),
        (reply(200), {"empty_answer": "unavailable"}, "empty_answer"),
        (reply(200, b'"success"'), {"empty_answer": "unavailable"}, ""),
        (reset_within(200, b""), {"empty_answer": "unavailable"}, ""),
        (reply(204), {"empty_answer": "unavailable", "delivered_statuses": "204"}, ""),
        (program(key="another"), {"empty_answer": "unavailable"}, "http_500"),
        (program(key="another", bad=200), {"empty_answer": "unavailable"}, "empty_answer"),
        (program(), {"empty_answer": "unavailable"}, ""),
    ],
)
async def test_a_setting_says_what_an_empty_answer_means(
    open_sink: OpenSink, behave: Behaviour, settings: Mapping[str, Any], reason: str
) -> None:
    async with Receiver(behave=behave) as receiver:
        sink = await open_sink(url=receiver.url, **FEISHU, **settings)
        [outcome] = await sink.deliver([envelope()])
        assert getattr(outcome, "reason", "") == reason


async def test_what_is_no_push_is_rejected_and_not_sent(open_sink: OpenSink) -> None:
    whole = envelope().document()
    del whole["data"]
    async with Receiver() as receiver:
        sink = await open_sink(url=receiver.url, **FEISHU)
        [outcome] = await sink.deliver([Envelope.from_json(orjson.dumps(whole))])
        assert isinstance(outcome, Rejected)
        assert outcome.reason == "not_encodable"
        assert receiver.requests == []


async def test_a_receiver_that_answers_the_challenge_opens_the_sink(open_sink: OpenSink) -> None:
    async with Receiver(behave=program()) as receiver:
        sink = await open_sink(url=receiver.url, verify_url="true", **FEISHU)
        [got] = receiver.requests
        assert isinstance(read(got), Challenge)
        assert list(json.loads(got.body)) == ["encrypt"]
        assert not [name for name in got.headers if name.startswith(("x-lark", "webhook"))]
        assert await sink.deliver([envelope()]) == [DELIVERED]


async def test_a_challenge_without_a_key_is_plain(open_sink: OpenSink) -> None:
    async with Receiver(behave=program(key="")) as receiver:
        await open_sink(url=receiver.url, format="feishu", verify_url=True, verification_token=TOKEN)
        document = json.loads(receiver.requests[0].body)
        assert document == {"challenge": document["challenge"], "token": TOKEN, "type": "url_verification"}


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (program(key="another"), "answered 500 instead of 200; are ENCRYPT_KEY and VERIFICATION_TOKEN"),
        (program(token="another"), "answered 500 instead of 200; are ENCRYPT_KEY and VERIFICATION_TOKEN"),
        (program(key="another", bad=200), "answered 200, but its value did not come back"),
        (reply(200, b'{"challenge":"other"}'), "its value did not come back"),
        (reply(200, b'{"challenge":'), "its value did not come back"),
        (reply(200, b"[1]"), "its value did not come back"),
        (reply(404), "answered 404 instead of 200; is that the URL"),
        (
            reply(302, headers={"Location": "https://elsewhere.example/"}),
            "answered 302 instead of 200; is that the URL",
        ),
        (hang_up, "closed the connection without an answer"),
        (hang, "no answer within 1 s"),
    ],
)
async def test_a_challenge_that_fails_keeps_the_sink_closed_and_says_why(
    open_sink: OpenSink, behave: Behaviour, words: str
) -> None:
    async with Receiver(behave=behave) as receiver:
        with pytest.raises(SinkNotReadyError) as caught:
            await open_sink(url=f"{receiver.url}?key=query-secret", verify_url=True, **FEISHU)
        text = str(caught.value)
        assert words in text
        assert receiver.url in text
        assert not [secret for secret in (KEY, TOKEN, "query-secret") if secret in text]


async def test_a_failed_answer_that_echoes_key_and_token_is_quoted_without_them(open_sink: OpenSink) -> None:
    async with Receiver(behave=reply(500, f"bad {TOKEN} and {KEY}!".encode())) as receiver:
        sink = await open_sink(url=receiver.url, **FEISHU)
        [outcome] = await sink.deliver([envelope()])
        assert isinstance(outcome, Retry)
        assert outcome.detail.endswith("with: bad *** and ***!")
