"""TLS, client certificates, the proxy, and what open() finds out."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from sinks.contract import DELIVERED, SinkNotReadyError, Unavailable
from sinks.http.settings import HttpSettings
from sinks.http.sink import HttpSink
from tests.doubles.proxy import ForwardProxy
from tests.doubles.receiver import Receiver, raw_server
from tests.sinks.http.conftest import OpenSink
from tests.sinks.http.samples import envelope

CA = trustme.CA()
OTHER_CA = trustme.CA()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem, other.pem, client.pem (chain), client.key, encrypted.key, junk.pem."""
    folder = tmp_path_factory.mktemp("tls")
    CA.cert_pem.write_to_path(str(folder / "ca.pem"))
    OTHER_CA.cert_pem.write_to_path(str(folder / "other.pem"))
    client = CA.issue_cert("client@example.org")
    client.cert_chain_pems[0].write_to_path(str(folder / "client.pem"))
    client.private_key_pem.write_to_path(str(folder / "client.key"))
    key = load_pem_private_key(client.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw"))
    (folder / "encrypted.key").write_bytes(encrypted)
    (folder / "junk.pem").write_text("junk")
    return folder


def server_tls(host: str = "127.0.0.1", *, client_ca: trustme.CA | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert(host).configure_cert(context)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        client_ca.configure_trust(context)
    return context


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver(server_tls()) as running:
        yield running


async def not_ready(**settings: object) -> str:
    sink = HttpSink(HttpSettings.model_validate({"type": "http", **settings}))
    with pytest.raises(SinkNotReadyError) as caught:
        await sink.open()
    await sink.close()
    return str(caught.value)


async def test_a_trusted_receiver(open_sink: OpenSink, receiver: Receiver, files: Path) -> None:
    sink = await open_sink(url=receiver.url, tls_ca_file=files / "ca.pem")
    assert await sink.deliver([envelope()]) == [DELIVERED]


async def test_an_unknown_certificate_is_refused(receiver: Receiver, files: Path) -> None:
    assert "certificate is not accepted" in await not_ready(url=receiver.url)
    assert "certificate is not accepted" in await not_ready(url=receiver.url, tls_ca_file=files / "other.pem")


async def test_a_certificate_of_another_host_is_refused(files: Path) -> None:
    async with Receiver(server_tls("elsewhere.example")) as receiver:
        assert "not valid for '127.0.0.1'" in await not_ready(url=receiver.url, tls_ca_file=files / "ca.pem")


async def test_without_verification_any_certificate_will_do(open_sink: OpenSink, receiver: Receiver) -> None:
    sink = await open_sink(url=receiver.url, tls_verify="false")
    assert await sink.deliver([envelope()]) == [DELIVERED]


async def test_a_certificate_that_turns_bad_makes_the_sink_unavailable(open_sink: OpenSink, files: Path) -> None:
    async with Receiver(server_tls()) as receiver:
        sink = await open_sink(url=receiver.url, tls_ca_file=files / "ca.pem")
        await receiver.stop()
        receiver.tls = server_tls("elsewhere.example")
        await receiver.start()
        [outcome] = await sink.deliver([envelope()])
        assert isinstance(outcome, Unavailable)
        assert outcome.reason == "certificate"


async def test_a_receiver_that_stops_to_speak_tls(open_sink: OpenSink, files: Path) -> None:
    async with Receiver(server_tls()) as receiver:
        sink = await open_sink(url=receiver.url, tls_ca_file=files / "ca.pem")
        url = receiver.url
        await receiver.stop()
        receiver.tls = None
        await receiver.start()
        [outcome] = await sink.deliver([envelope()])
        assert isinstance(outcome, Unavailable)
        assert outcome.reason in {"tls", "connect"}
        assert "TLS handshake failed" in await not_ready(url=url, tls_ca_file=files / "ca.pem")


async def test_client_certificates(open_sink: OpenSink, files: Path) -> None:
    async with Receiver(server_tls(client_ca=CA)) as receiver:
        trusting = {"url": receiver.url, "tls_ca_file": files / "ca.pem"}
        sink = await open_sink(**trusting, tls_cert_file=files / "client.pem", tls_key_file=files / "client.key")
        assert await sink.deliver([envelope()]) == [DELIVERED]
        without = await open_sink(**trusting)
        [outcome] = await without.deliver([envelope()])
        assert isinstance(outcome, Unavailable)
        assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tls_ca_file": "missing.pem"}, "missing.pem can't be read: No such file or directory"),
        ({"tls_ca_file": "junk.pem"}, r"junk.pem (TLS_CA_FILE) holds no CA certificate"),
        ({"tls_cert_file": "missing.pem"}, "missing.pem can't be read"),
        ({"tls_cert_file": "junk.pem", "tls_key_file": "client.key"}, "that belong together"),
        ({"tls_cert_file": "client.pem", "tls_key_file": "encrypted.key"}, "key not encrypted"),
        ({"tls_cert_file": "client.pem"}, "that belong together"),
    ],
)
async def test_bad_files_are_named(receiver: Receiver, files: Path, settings: dict[str, str], message: str) -> None:
    text = await not_ready(url=receiver.url, **{name: files / value for name, value in settings.items()})
    assert message in text


async def test_nothing_listens() -> None:
    async with Receiver() as receiver:
        url = receiver.url
    assert await not_ready(url=url) == f"127.0.0.1:{url.split(':')[2].split('/')[0]}: connection refused"


async def test_a_name_that_is_not_known() -> None:
    assert await not_ready(url="http://no-such-host.invalid/") == "no-such-host.invalid:80: the name can't be resolved"


async def test_a_handshake_that_hangs_ends_in_time(files: Path) -> None:
    async with raw_server(b"", answer_after=asyncio.Event()) as port:
        text = await not_ready(url=f"https://127.0.0.1:{port}/", connect_timeout_seconds=0.2)
        assert text == f"127.0.0.1:{port}: no connection within 0.2 s"


async def test_a_connection_that_is_not_made_in_time_makes_the_sink_unavailable(
    open_sink: OpenSink, files: Path
) -> None:
    async with Receiver(server_tls()) as receiver:
        sink = await open_sink(url=receiver.url, tls_ca_file=files / "ca.pem", connect_timeout_seconds=2)
        await receiver.stop()
        async with raw_server(b"", port=receiver.port, answer_after=asyncio.Event()):
            assert await sink.deliver([envelope()]) == [
                Unavailable("connect_timeout", "no connection within CONNECT_TIMEOUT_SECONDS")
            ]


async def test_opening_makes_no_request(open_sink: OpenSink, receiver: Receiver, files: Path) -> None:
    await open_sink(url=receiver.url, tls_ca_file=files / "ca.pem")
    assert receiver.requests == []


async def test_through_a_proxy_plain_and_tunnelled(open_sink: OpenSink, receiver: Receiver, files: Path) -> None:
    async with ForwardProxy() as proxy, Receiver() as plain:
        address = f"http://user:pass%40word@127.0.0.1:{proxy.port}"
        tunnelled = await open_sink(url=receiver.url, tls_ca_file=files / "ca.pem", proxy=address)
        assert await tunnelled.deliver([envelope()]) == [DELIVERED]
        straight = await open_sink(url=plain.url, proxy=address)
        assert await straight.deliver([envelope()]) == [DELIVERED]
        assert proxy.lines == [f"CONNECT 127.0.0.1:{receiver.port} HTTP/1.1", f"POST {plain.url} HTTP/1.1"]
        assert proxy.credentials == ["Basic dXNlcjpwYXNzQHdvcmQ="] * 2
        for got in receiver.requests + plain.requests:
            assert "proxy-authorization" not in got.headers


@pytest.mark.parametrize("status", [403, 407, 502, 503])
async def test_a_proxy_that_refuses(open_sink: OpenSink, receiver: Receiver, files: Path, status: int) -> None:
    async with ForwardProxy(refuse=status) as proxy:
        sink = await open_sink(
            url=receiver.url, tls_ca_file=files / "ca.pem", proxy=f"http://user:password@127.0.0.1:{proxy.port}"
        )
        [outcome] = await sink.deliver([envelope()])
        assert outcome == Unavailable(f"proxy_{status}", f"the proxy answered {status} to CONNECT")


async def test_a_proxy_that_is_away(open_sink: OpenSink, receiver: Receiver) -> None:
    async with ForwardProxy() as proxy:
        sink = await open_sink(url=receiver.url, proxy=f"http://user:password@127.0.0.1:{proxy.port}")
    [outcome] = await sink.deliver([envelope()])
    assert outcome == Unavailable("proxy", "the proxy can't be reached: Connection refused")
    text = await not_ready(url=receiver.url, proxy=f"http://user:password@127.0.0.1:{proxy.port}")
    assert text == f"proxy 127.0.0.1:{proxy.port}: connection refused"
