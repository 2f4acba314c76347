"""The port that programs connect to: who gets in, with what address, and who doesn't."""

import asyncio
import json
import ssl
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import orjson
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from router.feishu.discovery import PATH
from router.ingress.client_address import parse_networks
from router.settings.model import TlsSettings, WsSettings
from router.subscribers import server as server_module
from router.subscribers.addresses import CONNECT
from router.subscribers.groups import Group, Groups
from sinks.feishu_ws.pool import Pool
from sinks.testing.events import make_envelope
from tests.doubles.program import Program, RefusedError
from tests.doubles.programs import APP_ID, SECRET, Port, port
from tests.doubles.raw_http import RawClient, request
from tests.doubles.waiting import until


@pytest.fixture(autouse=True)
def _no_penalty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "PENALTY_SECONDS", 0.01)


async def asked(port_: Port, body: bytes, path: str = PATH, **headers: str) -> tuple[int, dict[str, object]]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(port_.domain + path, data=body, headers=headers) as answer,
    ):
        return answer.status, orjson.loads(await answer.read())


async def test_a_program_gets_an_address_and_all_that_it_needs_to_know() -> None:
    async with port() as here:
        status, body = await here.program().discover()
        answer = orjson.loads(body)
        url = urlsplit(answer["data"]["URL"])
        query = parse_qs(url.query)
        assert (status, answer["code"]) == (200, 0)
        assert (url.scheme, f"http://{url.netloc}", url.path) == ("ws", here.domain, CONNECT)
        assert list(query) == ["device_id", "service_id", "ticket"]  # service_id is not the first
        assert query["service_id"] == ["1"]
        config = answer["data"]["ClientConfig"]
        assert set(config) == {"ReconnectCount", "ReconnectInterval", "ReconnectNonce", "PingInterval"}
        assert all(type(value) is int and value > 0 for value in config.values())


@pytest.mark.parametrize(
    "body",
    [
        orjson.dumps({"AppID": APP_ID, "AppSecret": "wrong-secret-of-some-length"}),
        orjson.dumps({"AppID": "cli_fedcba9876543210", "AppSecret": SECRET}),
        orjson.dumps({"AppID": "", "AppSecret": ""}),
        orjson.dumps({"AppID": APP_ID, "AppSecret": "", "ClientAssertion": "eyJ"}),
        orjson.dumps({"AppID": APP_ID, "AppSecret": None}),
        orjson.dumps({"AppID": [APP_ID], "AppSecret": {"a": 1}}),
        orjson.dumps({"appid": APP_ID, "appsecret": SECRET}),
        b'{"AppID":"' + APP_ID.encode() + b'","AppSecret":"\\ud800"}',
        b"[]",
        b"null",
        b"{",
        b"",
    ],
)
async def test_whoever_has_not_both_is_told_the_same(body: bytes) -> None:
    async with port() as here:
        assert await asked(here, body) == (200, {"code": 514, "msg": "invalid app id or app secret", "data": {}})
        assert here.counted('fer_subscribers_refused_total{reason="credentials"}') == 1
        assert SECRET not in here.log.getvalue()


@pytest.mark.parametrize(("app_id", "sink"), [(APP_ID, "s"), ("cli_fedcba9876543210", "")])
async def test_the_log_says_whose_secret_was_wrong(app_id: str, sink: str) -> None:
    async with port() as here:
        await asked(here, orjson.dumps({"AppID": app_id, "AppSecret": "wrong-secret-of-some-length"}))
        [line] = [line for line in here.log.getvalue().splitlines() if "subscriber_refused" in line]
        assert orjson.loads(line)["sink"] == sink


async def test_those_who_guess_wait_and_are_not_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "PENALTY_SECONDS", 30.0)
    monkeypatch.setattr(server_module, "PENALTIES", 2)
    async with port() as here:
        wrong = orjson.dumps({"AppID": APP_ID, "AppSecret": "x" * 20})
        guessing = [asyncio.create_task(asked(here, wrong)) for _ in range(2)]
        await until(lambda: here.counted('fer_subscribers_refused_total{reason="credentials"}') == 2)
        assert (await asked(here, wrong))[0] == 503
        async with here.program():  # whoever knows it is not held up
            pass
        for task in guessing:
            task.cancel()


@pytest.mark.parametrize("path", ["//callback/ws/endpoint", "/lc/sink-a/callback/ws/endpoint", "/a//b" + PATH + "?x=1"])
async def test_slashes_and_whatever_stands_before_the_path(path: str) -> None:
    async with port() as here:
        status, answer = await asked(here, orjson.dumps({"AppID": APP_ID, "AppSecret": SECRET}), path)
        assert (status, answer["code"]) == (200, 0)
        program = here.program()
        await program.connect(answer["data"]["URL"])  # type: ignore[index]


async def test_another_address_of_the_settings_and_of_a_proxy() -> None:
    good = orjson.dumps({"AppID": APP_ID, "AppSecret": SECRET})
    async with port(WsSettings(listen="127.0.0.1:0", public_url="wss://events.example/x/")) as here:
        _, answer = await asked(here, good)
        assert answer["data"]["URL"].startswith("wss://events.example/x/callback/ws/connect?device_id=")  # type: ignore[index]
    async with port() as here:
        _, answer = await asked(here, good, **{"Host": "events.example", "X-Forwarded-Proto": "https"})
        assert answer["data"]["URL"].startswith("wss://events.example/callback/ws/connect?device_id=")  # type: ignore[index]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", PATH, 405), ("POST", CONNECT, 405), ("POST", "/webhook/event", 404)],
)
async def test_what_is_not_here(method: str, path: str, status: int) -> None:
    async with port() as here, RawClient(here.domain.removeprefix("http://")) as client:
        assert (await client.push(request(method=method, path=path))).status == status


async def test_behind_a_proxy_that_is_trusted_the_program_is_named() -> None:
    trusted = parse_networks(["127.0.0.0/8"])
    async with port(trusted=trusted) as here:
        await asked(here, b"{}", **{"X-Forwarded-For": "192.0.2.7, 127.0.0.1"})
        assert '"client":"192.0.2.7"' in here.log.getvalue()
    async with port() as here:
        await asked(here, b"{}", **{"X-Forwarded-For": "192.0.2.7"})
        assert '"client":"127.0.0.1"' in here.log.getvalue()


async def test_a_ticket_is_good_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with port() as here:
        first, second = here.program(), here.program()
        url = await first.address()
        await first.connect(url)
        with pytest.raises(RefusedError, match="503"):
            await second.connect(url)
        url = (await second.address()).replace("device_id=", "device_id=1")
        with pytest.raises(RefusedError, match="503"):
            await second.connect(url)
        monkeypatch.setattr("router.subscribers.tickets.TICKET_SECONDS", -1.0)
        with pytest.raises(RefusedError, match="503"):
            await second.connect()
        assert here.counted('fer_subscribers_refused_total{reason="ticket"}') == 3


async def test_a_ticket_for_something_that_is_no_websocket() -> None:
    async with port() as here, RawClient(here.domain.removeprefix("http://")) as client:
        url = urlsplit(await here.program().address())
        answer = await client.push(request(method="GET", path=f"{url.path}?{url.query}"))
        assert answer.status == 400
        assert len(here.sink.pool.lines) == 0


async def test_more_than_may_connect_are_told_to_come_back() -> None:
    async with port(max_connections=1) as here, here.program():
        late = here.program()
        with pytest.raises(RefusedError, match="http_503"):
            await late.connect()
        assert here.counted('fer_subscribers_refused_total{reason="too_many_connections"}') == 1


async def test_more_than_may_connect_to_all_sinks_are_told_to_come_back() -> None:
    async with port(WsSettings(listen="127.0.0.1:0", max_connections=1)) as here, here.program():
        late = here.program()
        with pytest.raises(RefusedError, match="http_503"):
            await late.connect()
        assert here.counted('fer_subscribers_refused_total{reason="too_many_connections"}') == 1


async def test_many_with_an_address_already_are_not_too_many_in_the_end() -> None:
    async with port(max_connections=2) as here:
        programs = [here.program() for _ in range(4)]
        urls = [await program.address() for program in programs]
        results = await asyncio.gather(
            *(program.connect(url) for program, url in zip(programs, urls, strict=True)), return_exceptions=True
        )
        await until(lambda: len(here.sink.pool.lines) == 2)
        assert sum(isinstance(result, RefusedError) for result in results) <= 2


@pytest.mark.parametrize("size", [(16 << 10) + 1, 200_000])
async def test_a_body_too_large(size: int) -> None:
    async with port() as here:
        status, _ = await asked(here, b'{"AppID":"' + b"x" * size + b'"}')
        assert status == 413


async def test_a_body_that_never_ends() -> None:
    async with (
        port(WsSettings(listen="127.0.0.1:0", handshake_seconds=0.2)) as here,
        RawClient(here.domain.removeprefix("http://")) as client,
    ):
        answer = await client.push(request(b"x" * 100, path=PATH)[:-50])
        assert answer.status == 408


async def test_tls(tmp_path: Path) -> None:
    authority, pem = trustme.CA(), tmp_path / "tls.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with (
        port(WsSettings(listen="127.0.0.1:0", tls=TlsSettings(cert_file=pem, key_file=pem))) as here,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as session,
    ):
        body = orjson.dumps({"AppID": APP_ID, "AppSecret": SECRET})
        async with session.post(here.domain + PATH, data=body) as answer:
            url = (await answer.json())["data"]["URL"]
        assert url.startswith("wss://")
        async with session.ws_connect(url):
            await until(lambda: len(here.sink.pool.lines) == 1)


async def test_in_a_drain_nobody_gets_in_and_whoever_is_in_gets_the_rest() -> None:
    async with port() as here, here.program() as program:
        late = here.program()
        url = await late.address()
        here.server.drain()
        for attempt in (late.connect(), late.connect(url)):
            with pytest.raises(RefusedError, match="503"):
                await attempt
        outcomes = await here.sink.deliver([make_envelope(1)])
        assert [type(outcome).__name__ for outcome in outcomes] == ["Delivered"]
        await here.server.close()
        await program.gone()
        assert program.close_code == 1006, "Java's SDK comes back late when it is told of a close"
        await until(lambda: here.counted('fer_subscribers_gone_total{reason="draining",sink="s"}') == 1)


async def test_other_secrets_let_in_and_send_nobody_away() -> None:
    async with port() as here, here.program():
        assert here.server.use_secrets("s", ["another-secret-of-16"]) is here.sink.pool
        with pytest.raises(RefusedError, match="514"):
            await here.program().connect()
        async with here.program(secret="another-secret-of-16"):
            await until(lambda: len(here.sink.pool.lines) == 2)


async def test_closing_waits_for_no_program_that_does_not_answer() -> None:
    async with port() as here:
        program: Program = await here.program().__aenter__()
        program.transport.pause_reading()
        await asyncio.wait_for(here.server.close(), 30)
        assert len(here.sink.pool.lines) == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["AppID", "AppSecret"]) | st.text(), inner),
)


@given(st.binary() | JSON.map(lambda document: json.dumps(document).encode()))
def test_whatever_is_sent_as_credentials_is_two_texts(body: bytes) -> None:
    app_id, secret = server_module._credentials(body)
    assert type(app_id) is type(secret) is str
    assert Groups([Group("s", APP_ID, [SECRET], Pool())]).find(app_id, secret) is None


@pytest.mark.parametrize(
    "half", [b"\x82", b"\x82\xfe\x01", b"\x82\xfe\x01\x00abcd" + b"x" * 100], ids=["tag", "size", "payload"]
)
async def test_a_program_that_ends_within_a_frame(half: bytes) -> None:
    async with port() as here, RawClient(here.domain.removeprefix("http://")) as client:
        url = urlsplit(await here.program().address())
        assert (await client.push(upgrade(f"{url.path}?{url.query}"))).status == 101
        await until(lambda: len(here.sink.pool.lines) == 1)
        await client.send(half)
        client.writer.write_eof()
        await until(lambda: here.counted('fer_subscribers_gone_total{reason="lost",sink="s"}') == 1)
        assert here.sink.pool.lines == []


@pytest.mark.parametrize(
    "junk",
    [
        b"GET / HTTP/1.1\r\n\r\n" * 10,
        bytes(range(256)) * 4,
        b"\x82\x05hello",
        b"\xc2\x80\x00\x00\x00\x00",
        b"\x83\x80\x00\x00\x00\x00",
    ],
    ids=["http", "bytes", "unmasked", "compressed", "opcode"],
)
async def test_what_is_no_websocket_frame_ends_the_connection(junk: bytes) -> None:
    async with port() as here, RawClient(here.domain.removeprefix("http://")) as client:
        url = urlsplit(await here.program().address())
        assert (await client.push(upgrade(f"{url.path}?{url.query}"))).status == 101
        await client.send(junk)
        client.writer.write_eof()
        await until(lambda: here.counted('fer_subscribers_connected_total{sink="s"}') == 1)
        await until(lambda: here.sink.pool.lines == [])
        async with here.program():
            assert "worker_crashed" not in here.log.getvalue()


def upgrade(path: str) -> bytes:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    return request(headers={**headers, "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}, method="GET", path=path)
