"""Discovery and handshake, with every answer that a network can give."""

import asyncio
import base64
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from router.feishu.discovery import Refusal, Verdict
from router.ingress.long_connection import dialer as module
from router.ingress.long_connection.dialer import ANSWER_BYTES, Dialer
from router.ingress.long_connection.failures import AttemptError
from tests.doubles.peer import SERVICE, peer
from tests.doubles.proxy import ForwardProxy
from tests.ingress.long_connection.worlds import APP_ID, SECRET, app


async def refused(domain: str, **changes: Any) -> Refusal:
    dialer = Dialer(app(domain, **changes))
    try:
        with pytest.raises(AttemptError) as caught:
            await dialer.dial()
    finally:
        await dialer.close()
        await dialer.close()
    told = f"{caught.value!r} {caught.value.refusal} {caught.value.__cause__!r}"
    for secret in (SECRET, SECRET[:5], "t1cket", "device-"):
        assert secret not in told
    return caught.value.refusal


@pytest.mark.parametrize("below", ["", "/", "/prefix", "/prefix/"])
async def test_it_asks_as_the_sdks_do_and_connects(below: str) -> None:
    async with peer() as there:
        dialer = Dialer(app(there.domain + below))
        dialed = await dialer.dial()
        assert there.asked == [
            (f"{below.rstrip('/')}/callback/ws/endpoint", {"AppID": APP_ID, "AppSecret": SECRET}),
        ]
        assert dialed.endpoint.connection_id == "device-1"
        assert dialed.endpoint.service_id == SERVICE
        assert dialed.endpoint.config.ping_interval == 120
        assert "ticket=t1cket" in (await there.line()).query
        dialed.socket.cut()
        await dialer.close()


@pytest.mark.parametrize(
    ("status", "body", "code", "verdict"),
    [
        (200, {"code": 1, "msg": "busy"}, "1", Verdict.SOON),
        (200, {"code": 1000040343}, "1000040343", Verdict.SOON),
        (200, {"code": 514, "msg": f"{SECRET} is wrong"}, "514", Verdict.FATAL),
        (200, {"code": 514, "msg": "x" * 195 + SECRET}, "514", Verdict.FATAL),
        (200, {"code": 403}, "403", Verdict.FATAL),
        (200, {"code": 1000040344}, "1000040344", Verdict.FATAL),
        (200, {"code": 1000040350}, "1000040350", Verdict.SLOWLY),
        (200, {"code": 77}, "other", Verdict.FATAL),
        (200, {"code": 0, "data": {}}, "no_url", Verdict.SOON),
        (200, {"code": 0, "data": {"URL": "http://127.0.0.1/"}}, "no_url", Verdict.SOON),
        (200, {"code": 0, "data": {"URL": "ws://127.0.0.1:1/?ticket=t1cket"}}, "unreachable", Verdict.SOON),
        (200, {"code": 0, "data": {"URL": "ws://[::1/?ticket=t1cket"}}, "no_url", Verdict.SOON),
        (200, {"code": 0, "data": {"URL": "ws://127.0.0.1:99999/?ticket=t1cket"}}, "protocol", Verdict.SOON),
        (403, {"code": 0}, "http_403", Verdict.SOON),
        (500, {}, "http_500", Verdict.SOON),
        (302, {}, "http_302", Verdict.SOON),
        (200, {"pad": "x" * (ANSWER_BYTES + 1)}, "not_json", Verdict.SOON),
    ],
)
async def test_every_answer_has_its_verdict(status: int, body: Any, code: str, verdict: Verdict) -> None:
    async with peer() as there:
        there.answers.append((status, orjson.dumps(body)))
        refusal = await refused(there.domain)
        assert (refusal.code, refusal.verdict) == (code, verdict)
        assert not there.lines


@pytest.mark.parametrize(
    ("status", "headers", "code", "verdict"),
    [
        (200, {"Handshake-Status": "514", "Handshake-Autherrcode": "1000040350"}, "1000040350", Verdict.SLOWLY),
        (
            200,
            {"Handshake-Status": "514", "Handshake-Msg": "not device-1 with ticket t1cket"},
            "handshake_514",
            Verdict.SOON,
        ),
        (403, {"Handshake-Status": "403"}, "403", Verdict.FATAL),
        (403, {}, "handshake_403", Verdict.SOON),
        (503, {}, "handshake_503", Verdict.SOON),
        (302, {"Location": "http://127.0.0.1:1/"}, "http_302", Verdict.SOON),
    ],
)
async def test_every_handshake_has_its_verdict(
    status: int, headers: dict[str, str], code: str, verdict: Verdict
) -> None:
    async with peer() as there:
        there.handshakes.append((status, headers))
        refusal = await refused(there.domain)
        assert (refusal.code, refusal.verdict) == (code, verdict)


async def test_what_is_secret_is_masked_in_what_a_handshake_says_however_it_is_written() -> None:
    async with peer() as there:
        ticket = "a%2Bb%3DcDEF"
        url = f"{there.domain.replace('http', 'ws', 1)}/ws?device_id=d&service_id=1&ticket={ticket}"
        there.answers.append((200, there.endpoint(URL=url)))
        said = f"{SECRET} sent {ticket}, which is a+b=cDEF"
        there.handshakes.append((200, {"Handshake-Status": "514", "Handshake-Msg": said}))
        assert (await refused(there.domain)).said == "*** sent ***, which is ***"


async def test_a_switch_of_protocols_for_somebody_else() -> None:
    async with peer() as there:
        there.handshakes.append((101, {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": "x"}))
        refusal = await refused(there.domain)
        assert (refusal.code, refusal.verdict) == ("handshake_101", Verdict.SOON)
        assert "not for this websocket" in refusal.meaning


async def test_nobody_there() -> None:
    refusal = await refused("http://127.0.0.1:1")
    assert (refusal.code, refusal.verdict) == ("unreachable", Verdict.SOON)
    assert "PROXY" in refusal.remedy


async def test_an_answer_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASK_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with asyncio.timeout(10):
            assert (await refused(f"http://127.0.0.1:{listener.getsockname()[1]}")).code == "timeout"


async def test_an_answer_that_does_not_end() -> None:
    async with peer() as there:
        there.endless = True
        async with asyncio.timeout(10):
            assert (await refused(there.domain)).code == "not_json"


@pytest.mark.parametrize("domain", ["https://feishu.invalid", "http://feishu.invalid"])
async def test_a_proxy_is_to_blame_where_it_is_and_named_without_its_password(domain: str) -> None:
    gone = await refused(domain, proxy="http://u:app-s3cret@127.0.0.1:1")
    assert gone.meaning == f"{domain} through the proxy 127.0.0.1:1: the proxy can't be reached"
    unknown = await refused(domain, proxy="http://u:app-s3cret@proxy.invalid:8080")
    assert unknown.meaning == f"{domain} through the proxy proxy.invalid:8080: the proxy's name can't be resolved"
    async with ForwardProxy(refuse=407) as proxy:
        strict = await refused(domain, proxy=f"http://u:app-s3cret@127.0.0.1:{proxy.port}")
    assert strict.meaning == f"{domain} through the proxy 127.0.0.1:{proxy.port}: the proxy answered HTTP 407"
    for refusal in (gone, unknown, strict):
        assert (refusal.code, refusal.verdict) == ("proxy", Verdict.SOON)
        assert "PROXY" in refusal.remedy


async def test_a_handshake_that_the_proxy_refuses() -> None:
    async with peer() as there:
        there.handshakes.append((407, {}))
        refusal = await refused(there.domain)
        assert (refusal.code, refusal.verdict) == ("proxy", Verdict.SOON)
        assert refusal.meaning == "the websocket: the proxy answered HTTP 407"


async def test_a_proxy_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASK_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = f"127.0.0.1:{listener.getsockname()[1]}"
        refusal = await refused("https://feishu.invalid", proxy=f"http://u:app-s3cret@{where}")
    assert (refusal.code, refusal.verdict) == ("timeout", Verdict.SOON)
    assert refusal.meaning == f"https://feishu.invalid through the proxy {where}: no answer in time"
    assert "PROXY" in refusal.remedy


@pytest.mark.parametrize(
    ("host", "days", "meaning", "remedy"),
    [
        ("127.0.0.1", (-9, -1), "its certificate has expired", "clock"),
        ("127.0.0.1", (1, 9), "its certificate is not valid yet", "clock"),
        ("127.0.0.2", (-9, 9), "its certificate is another host's", "DOMAIN"),
        ("feishu.example", (-9, 9), "its certificate is another host's", "DOMAIN"),
    ],
)
async def test_what_is_wrong_with_a_certificate(
    tmp_path: Path, host: str, days: tuple[int, int], meaning: str, remedy: str
) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    since, until = (datetime.now(UTC) + timedelta(days=day) for day in days)
    async with peer(ca.issue_cert(host, not_before=since, not_after=until)) as there:
        refusal = await refused(there.domain, tls_ca_file=tmp_path / "ca.pem")
        assert (refusal.code, refusal.verdict) == ("certificate", Verdict.SOON)
        assert refusal.meaning == f"{there.domain}: {meaning}"
        assert remedy in refusal.remedy
        assert "TLS_CA_FILE" not in refusal.remedy
        unknown = await refused(there.domain)
        assert unknown.meaning.startswith(f"{there.domain}: its certificate is not trusted: ")
        assert "TLS_CA_FILE" in unknown.remedy


async def test_through_a_proxy_with_tls_of_an_own_authority(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with ForwardProxy() as proxy, peer(ca.issue_cert("127.0.0.1")) as there:
        dialer = Dialer(
            app(there.domain, tls_ca_file=tmp_path / "ca.pem", proxy=f"http://u:pass@127.0.0.1:{proxy.port}")
        )
        dialed = await dialer.dial()
        assert [line.split()[0] for line in proxy.lines] == ["CONNECT", "CONNECT"]
        assert set(proxy.credentials) == {"Basic " + base64.b64encode(b"u:pass").decode()}
        dialed.socket.cut()
        await dialer.close()
        assert (await refused(there.domain)).code == "certificate"


async def test_no_websocket_without_tls_where_the_domain_has_it(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with peer(ca.issue_cert("127.0.0.1")) as there:
        there.answers.append((200, there.endpoint().replace(b"wss://", b"ws://")))
        refusal = await refused(there.domain, tls_ca_file=tmp_path / "ca.pem")
        assert (refusal.code, refusal.verdict) == ("not_wss", Verdict.SOON)


async def test_certificates_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing")
    refusal = await refused("https://127.0.0.1:1", tls_ca_file=str(file))
    assert (refusal.code, refusal.verdict) == ("tls_ca_file", Verdict.SLOWLY)
    assert str(file) in refusal.meaning


@settings(max_examples=30)
@given(st.binary(max_size=200) | st.builds(lambda url: orjson.dumps({"code": 0, "data": {"URL": url}}), st.text()))
def test_no_answer_does_more_than_end_the_attempt(body: bytes) -> None:
    async def main() -> None:
        async with peer() as there:
            there.answers.append((200, body))
            await refused(there.domain)

    asyncio.run(main())
