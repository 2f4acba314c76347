import asyncio
import json
from urllib.parse import unquote

import orjson
import pytest
from aiohttp import web

from sinks.contract import DELIVERED, FOLLOWS, Rejected, Retry, SinkNotReadyError, Unavailable
from sinks.http import SINK
from sinks.http.settings import HttpSettings
from sinks.http.sink import HttpSink
from tests.doubles.receiver import Behaviour, Received, Receiver, hang, reply, slow
from tests.doubles.stepped import SteppedClock
from tests.sinks.http.conftest import OpenSink
from tests.sinks.http.samples import document, envelope, keyed


async def test_structured_sends_the_stored_bytes(open_sink: OpenSink) -> None:
    async with Receiver() as receiver:
        sink = await open_sink(url=receiver.url)
        event = envelope()
        assert await sink.deliver([event]) == [DELIVERED]
        [got] = receiver.requests
        assert (got.method, got.path, got.body) == ("POST", "/hook", event.json)
        assert got.headers["content-type"] == "application/cloudevents+json"
        assert got.headers["webhook-id"] == "e1"
        assert got.headers["user-agent"] == "feishu-event-router"
        assert "webhook-signature" not in got.headers
        assert "cookie" not in got.headers


async def test_a_large_event_is_sent_whole(open_sink: OpenSink) -> None:
    async with Receiver() as receiver:
        sink = await open_sink(url=receiver.url)
        event = envelope(data={"text": "x" * (3 << 20)})
        assert await sink.deliver([event]) == [DELIVERED]
        [got] = receiver.requests
        assert got.body == event.json
        assert got.headers["content-length"] == str(len(event.json))


async def test_binary_sends_attributes_as_headers_and_the_data_alone(open_sink: OpenSink) -> None:
    async with Receiver() as receiver:
        sink = await open_sink(url=receiver.url, format="binary", method="PUT")
        assert await sink.deliver([envelope(subject='人 "a" 100%')]) == [DELIVERED]
        [got] = receiver.requests
        attributes = {name[3:]: unquote(value) for name, value in got.headers.items() if name.startswith("ce-")}
        sent = document(subject='人 "a" 100%')
        data = sent.pop("data")
        content_type = sent.pop("datacontenttype")
        assert attributes == sent
        assert got.headers["content-type"] == content_type
        assert json.loads(got.body) == data
        assert got.method == "PUT"


async def test_data_sends_the_data_byte_for_byte(open_sink: OpenSink) -> None:
    async with Receiver() as receiver:
        sink = await open_sink(url=receiver.url, format="data")
        data = b'{"big":123456789012345678901234567890,"float":1.0E+2,"text":"\\u4eba"}'
        assert await sink.deliver([envelope(data=orjson.Fragment(data))]) == [DELIVERED]
        [got] = receiver.requests
        assert got.body == data
        assert got.headers["content-type"] == "application/json"
        assert got.headers["webhook-id"] == "e1"


async def test_an_event_without_data_has_an_empty_body(open_sink: OpenSink) -> None:
    whole = document()
    del whole["data"]
    event = envelope().from_json(orjson.dumps(whole))
    async with Receiver() as receiver:
        sink = await open_sink(url=receiver.url, format="binary")
        assert await sink.deliver([event]) == [DELIVERED]
        assert receiver.requests[0].body == b""
        assert receiver.requests[0].headers["content-length"] == "0"


async def test_what_cannot_be_a_header_is_rejected_and_not_sent(open_sink: OpenSink) -> None:
    async with Receiver() as receiver:
        sink = await open_sink(url=receiver.url, format="binary")
        [outcome] = await sink.deliver([envelope(**{"bad\r\nname": "x"})])
        assert isinstance(outcome, Rejected)
        assert outcome.reason == "not_encodable"
        assert receiver.requests == []


async def test_authentication_and_headers_arrive(open_sink: OpenSink) -> None:
    async with Receiver() as receiver:
        basic = await open_sink(
            url=receiver.url, basic_username="u", basic_password="pä", headers="X-One: 1, X-Two: a, b"
        )
        bearer = await open_sink(url=receiver.url, bearer_token="tok", headers="Accept: x/y\nX-Three: p, Q: r")
        assert await basic.deliver([envelope()]) == await bearer.deliver([envelope()]) == [DELIVERED]
        first, second = (request.headers for request in receiver.requests)
        assert first["authorization"] == "Basic dTpww6Q="
        assert (first["x-one"], first["x-two"]) == ("1", "a, b")
        assert second["authorization"] == "Bearer tok"
        assert (second["accept"], second["x-three"]) == ("x/y", "p, Q: r")


async def test_64_slow_requests_run_at_once(open_sink: OpenSink) -> None:
    async with Receiver(behave=slow(0.2)) as receiver:
        sink = await open_sink(url=receiver.url)
        assert (sink.max_events, sink.concurrency, sink.keeps_order) == (1, 64, False)
        deliveries = [sink.deliver([envelope(f"e{n}")]) for n in range(64)]
        assert await asyncio.gather(*deliveries) == [[DELIVERED]] * 64
        assert receiver.most_at_once == 64


@pytest.mark.parametrize(
    ("settings", "concurrency"),
    [({}, 64), ({"format": "batch"}, 4), ({"concurrency": 9}, 9), ({"concurrency": 9, "connections": 4}, 4)],
)
def test_how_many_deliveries_run_at_once(settings: dict[str, object], concurrency: int) -> None:
    assert (
        HttpSink(HttpSettings.model_validate({"type": "http", "url": "http://h/"} | settings)).concurrency
        == concurrency
    )


async def test_connections_are_kept(open_sink: OpenSink) -> None:
    async with Receiver(behave=reply(200, b"x" * 20000)) as receiver:
        sink = await open_sink(url=receiver.url)
        for n in range(5):
            assert await sink.deliver([envelope(f"e{n}")]) == [DELIVERED]
        assert len({request.peer for request in receiver.requests}) == 1


async def test_cookies_are_not_kept(open_sink: OpenSink) -> None:
    async with Receiver(behave=reply(200, headers={"Set-Cookie": "a=b"})) as receiver:
        sink = await open_sink(url=receiver.url)
        await sink.deliver([envelope()])
        await sink.deliver([envelope()])
        assert "cookie" not in receiver.requests[1].headers


async def test_cancelling_closes_the_connection(open_sink: OpenSink) -> None:
    async with Receiver(behave=hang) as receiver:
        sink = await open_sink(url=receiver.url)
        delivery = asyncio.ensure_future(sink.deliver([envelope()]))
        await receiver.wait_for(1)
        delivery.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivery
        receiver.behave = reply()
        assert await sink.deliver([envelope()]) == [DELIVERED]
        assert receiver.requests[0].peer != receiver.requests[1].peer


async def test_before_open_and_after_close_it_is_unavailable() -> None:
    sink = HttpSink(HttpSettings.model_validate({"type": "http", "url": "http://127.0.0.1:9/"}))
    await sink.close()
    assert [type(outcome) for outcome in await sink.deliver([envelope()])] == [Unavailable]


async def test_a_receiver_that_is_away_and_comes_back(open_sink: OpenSink) -> None:
    async with Receiver() as receiver:
        sink = await open_sink(url=receiver.url)
        assert await sink.deliver([envelope()]) == [DELIVERED]
        await receiver.stop()
        [outcome] = await sink.deliver([envelope()])
        assert isinstance(outcome, Unavailable)
        with pytest.raises(SinkNotReadyError, match="connection refused"):
            await sink.open()
        await receiver.start()
        await sink.open()
        assert await sink.deliver([envelope()]) == [DELIVERED]


def refusing(status: int, *bad: str) -> Behaviour:
    """A receiver of batches that refuses each batch with one of these ids in it."""

    async def behave(receiver: Receiver, request: web.BaseRequest, received: Received) -> web.StreamResponse:
        ids = {event["id"] for event in json.loads(received.body)}
        return web.Response(status=status if ids & {*bad} else 200)

    return behave


async def test_a_batch_is_one_request(open_sink: OpenSink) -> None:
    async with Receiver() as receiver:
        sink = await open_sink(url=receiver.url, format="batch", max_events=7, max_bytes="64KiB")
        assert (sink.max_events, sink.max_bytes, sink.keeps_order) == (7, 65536, True)
        events = [envelope(f"e{n}") for n in range(5)]
        assert await sink.deliver(events) == [DELIVERED] * 5
        assert await sink.deliver(events) == [DELIVERED] * 5
        first, second = receiver.requests
        assert [orjson.dumps(event) for event in json.loads(first.body)] == [event.json for event in events]
        assert first.headers["content-type"] == "application/cloudevents-batch+json"
        assert first.headers["webhook-id"] == second.headers["webhook-id"]


async def test_the_bad_event_of_a_refused_batch_is_found(open_sink: OpenSink) -> None:
    async with Receiver(behave=refusing(400, "e3")) as receiver:
        sink = await open_sink(url=receiver.url, format="batch")
        outcomes = await sink.deliver([keyed(f"e{n}", f"k{n}") for n in range(8)])
        assert [isinstance(outcome, Rejected) for outcome in outcomes] == [n == 3 for n in range(8)]
        assert outcomes.count(DELIVERED) == 7


async def test_followers_of_a_failed_event_of_a_batch_are_not_sent(open_sink: OpenSink) -> None:
    async with Receiver(behave=refusing(500, "e1")) as receiver:
        sink = await open_sink(url=receiver.url, format="batch")
        outcomes = await sink.deliver([keyed(f"e{n}", "odd" if n % 2 else "even") for n in range(6)])
        assert isinstance(outcomes[1], Retry)
        assert outcomes[3] == outcomes[5] == FOLLOWS
        assert [outcomes[0], outcomes[2], outcomes[4]] == [DELIVERED] * 3
        alone = [[event["id"] for event in json.loads(request.body)] for request in receiver.requests[1:]]
        assert not any("e3" in ids or "e5" in ids for ids in alone[alone.index(["e1"]) + 1 :])


@pytest.mark.parametrize(("status", "kind"), [(503, Unavailable), (429, Unavailable), (408, Retry)])
async def test_a_batch_is_not_split_when_it_is_not_the_cause(open_sink: OpenSink, status: int, kind: type) -> None:
    async with Receiver(behave=reply(status, headers={"Retry-After": "7"})) as receiver:
        sink = await open_sink(url=receiver.url, format="batch")
        outcomes = await sink.deliver([envelope(f"e{n}") for n in range(4)])
        assert outcomes == [kind(f"http_{status}", f"answered {status}", 7.0)] * 4
        assert len(receiver.requests) == 1


async def test_a_refused_batch_is_searched_no_longer_than_the_timeout() -> None:
    clock = SteppedClock()

    async def behave(receiver: Receiver, request: web.BaseRequest, received: Received) -> web.StreamResponse:
        clock.now += 20
        return web.Response(status=400)

    async with Receiver(behave=behave) as receiver:
        settings = {"type": "http", "url": receiver.url, "format": "batch", "timeout_seconds": 30}
        sink = HttpSink(HttpSettings.model_validate(settings), clock)
        await sink.open()
        outcomes = await sink.deliver([keyed(f"e{n}", f"k{n}") for n in range(8)])
        await sink.close()
        assert len(receiver.requests) == 2
        assert {type(outcome) for outcome in outcomes} == {Retry}


async def test_closing_in_the_middle_of_a_batch_holds_the_rest(open_sink: OpenSink) -> None:
    async def behave(receiver: Receiver, request: web.BaseRequest, received: Received) -> web.StreamResponse:
        await sink.close()
        return web.Response(status=400)

    async with Receiver(behave=behave) as receiver:
        sink = await open_sink(url=receiver.url, format="batch")
        outcomes = await sink.deliver([envelope(f"e{n}") for n in range(4)])
        assert {type(outcome) for outcome in outcomes} == {Unavailable}


def test_the_sink_type_builds_without_io() -> None:
    settings = HttpSettings.model_validate({"type": "http", "url": "https://nowhere.invalid/hook?key=hidden"})
    sink = SINK.build("iam", settings)
    assert sink.scope(envelope()) == ""
    assert SINK.describe(settings) == "POST https://nowhere.invalid/hook?… (structured)"
