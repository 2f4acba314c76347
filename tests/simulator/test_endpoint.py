"""Discovery and handshake, each code and status."""

import aiohttp
import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from router.feishu.discovery import PATH, ClientConfig, Endpoint, Refusal, Verdict, read_answer, read_handshake, request
from router.simulator.endpoint import MAX_TICKETS, App, Doors, Ticket
from router.simulator.faults import FAULTS, Faults, Moment
from router.simulator.simulator import APP_ID, APP_SECRET, Behaviour, Simulator
from tests.doubles.stepped import SteppedClock
from tests.doubles.waiting import until
from tests.simulator.clients import Client, query_of


async def test_an_address_with_everything_that_the_sdks_need() -> None:
    config = ClientConfig(7, 90, 25, 60)
    async with Simulator(behaviour=Behaviour(config=config)) as feishu, Client(feishu.domain) as client:
        endpoint = await client.ask()
        assert isinstance(endpoint, Endpoint)
        assert endpoint.config == config
        query = query_of(endpoint)
        assert next(iter(query)) not in ("device_id", "service_id")
        assert query["device_id"] == [endpoint.connection_id]
        assert endpoint.service_id > 0


@pytest.mark.parametrize(
    "body",
    [
        orjson.dumps({"AppID": APP_ID, "AppSecret": "wrong"}),
        orjson.dumps({"AppID": "cli_another", "AppSecret": APP_SECRET}),
        orjson.dumps({"appId": APP_ID, "appSecret": APP_SECRET}),
        orjson.dumps({"AppID": 1, "AppSecret": None}),
        b"[]",
        b"no JSON",
        b"",
    ],
)
async def test_514_for_all_else(body: bytes) -> None:
    async with (
        Simulator() as feishu,
        aiohttp.ClientSession() as http,
        http.post(feishu.domain + PATH, data=body) as answer,
    ):
        assert answer.status == 200
        assert orjson.loads(await answer.read()) == {"code": 514, "msg": "invalid app id or secret", "data": {}}


BODIES = st.binary() | st.dictionaries(st.sampled_from(["AppID", "AppSecret"]) | st.text(), st.text() | st.none()).map(
    orjson.dumps
)


@given(body=BODIES, ticket=st.text(), device=st.text())
def test_whatever_is_asked_it_is_refused_and_never_breaks(body: bytes, ticket: str, device: str) -> None:
    doors = Doors([App(APP_ID, APP_SECRET)], Faults(), SteppedClock(), lambda _: False)
    answer = doors.discover(body, "localhost")
    assert answer is not None
    assert isinstance(answer.body, bytes)
    assert orjson.loads(answer.body)["code"] == 514
    refusal = doors.enter({"ticket": ticket, "device_id": device})
    assert isinstance(refusal, web.Response)
    assert refusal.status == 403


def test_an_address_is_good_for_a_minute_and_not_many_are_kept() -> None:
    clock = SteppedClock()
    doors = Doors([App(APP_ID, APP_SECRET)], Faults(), clock, lambda _: False)

    def query() -> dict[str, str]:
        answer = doors.discover(request(APP_ID, APP_SECRET), "localhost")
        assert answer is not None
        assert isinstance(answer.body, bytes)
        endpoint = read_answer(200, answer.body)
        assert isinstance(endpoint, Endpoint)
        return {name: values[0] for name, values in query_of(endpoint).items()}

    first, second = query(), query()
    clock.now += 59
    assert isinstance(doors.enter(first), Ticket)
    clock.now += 2
    assert isinstance(doors.enter(second), web.Response)
    early = query()
    for _ in range(MAX_TICKETS):
        query()
    assert isinstance(doors.enter(early), web.Response)
    assert isinstance(doors.enter(query()), Ticket)


def test_secrets_are_in_no_repr() -> None:
    assert "secret" not in repr(App("cli_a", "my secret", "http://x", "my secret key", "my secret token"))


async def test_an_app_without_a_secret_has_no_long_connection() -> None:
    async with Simulator([App("cli_a", "")]) as feishu, Client(feishu.domain, "cli_a", "") as client:
        refusal = await client.ask()
        assert isinstance(refusal, Refusal)
        assert refusal.code == "514"


async def test_too_large_other_methods_other_paths_and_doubled_slashes() -> None:
    async with Simulator() as feishu, aiohttp.ClientSession() as http:
        async with http.post(feishu.domain + PATH, data=b"x" * 100_000) as answer:
            assert answer.status == 413
        async with http.get(feishu.domain + PATH) as answer:
            assert answer.status == 405
        async with http.get(feishu.domain + "/elsewhere") as answer:
            assert answer.status == 404
        for path in ("/" + PATH, "/some/prefix" + PATH):
            async with http.post(feishu.domain + path, data=b"{}") as answer:
                assert answer.status == 200


@pytest.mark.parametrize("fault", [name for name, (moment, _) in FAULTS.items() if moment is Moment.DISCOVERY])
async def test_each_refusal_of_discovery_once(fault: str) -> None:
    async with Simulator() as feishu, Client(feishu.domain) as client:
        feishu.faults.order(fault)
        if fault == "no-answer":
            with pytest.raises(TimeoutError):
                await client._http.post(feishu.domain + PATH, data=b"{}", timeout=aiohttp.ClientTimeout(total=0.1))
        elif fault == "no-config":
            endpoint = await client.ask()
            assert isinstance(endpoint, Endpoint)
            assert endpoint.config == ClientConfig()
        else:
            refusal = await client.ask()
            assert isinstance(refusal, Refusal)
            assert refusal.code.removeprefix("http_") in fault or fault in ("no-json", "no-url", "code-9999")
        assert isinstance(await client.ask(), Endpoint)
        assert feishu.faults.struck == {fault: 1}


@pytest.mark.parametrize(
    ("fault", "status", "code", "verdict"),
    [
        ("handshake-403", 403, "handshake_403", Verdict.SOON),
        ("handshake-500", 500, "handshake_500", Verdict.SOON),
        ("handshake-503", 503, "handshake_503", Verdict.SOON),
        ("handshake-forbidden", 403, "403", Verdict.FATAL),
        ("handshake-auth", 403, "handshake_514", Verdict.SOON),
        ("handshake-too-many", 403, "1000040350", Verdict.SLOWLY),
    ],
)
async def test_each_refusal_of_the_handshake_once(fault: str, status: int, code: str, verdict: Verdict) -> None:
    async with Simulator() as feishu, Client(feishu.domain) as client:
        feishu.faults.order(fault)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.connect()
        assert refused.value.status == status
        assert refused.value.headers is not None
        refusal = read_handshake(refused.value.status, refused.value.headers)
        assert (refusal.code, refusal.verdict) == (code, verdict)
        await client.connect()


async def test_an_address_is_good_once() -> None:
    async with Simulator() as feishu, Client(feishu.domain) as client:
        endpoint = await client.ask()
        assert isinstance(endpoint, Endpoint)
        await client.enter(endpoint)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client._http.ws_connect(endpoint.url)
        assert refused.value.status == 403


async def test_no_more_connections_than_an_app_may_have() -> None:
    async with (
        Simulator(behaviour=Behaviour(max_connections=1)) as feishu,
        Client(feishu.domain) as first,
        Client(feishu.domain) as second,
    ):
        await first.connect()
        await until(lambda: feishu.connections() == 1)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await second.connect()
        assert refused.value.headers is not None
        assert read_handshake(403, refused.value.headers).code == "1000040350"
