"""TLS handshakes that don't get on: none keeps others out, none lasts, each that fails is counted."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import trustme

from router.settings.model import TlsSettings
from tests.doubles.sending import counted, good
from tests.doubles.waiting import until
from tests.doubles.webhooks import Hook, settings, webhook

CA = trustme.CA()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TlsSettings:
    folder = tmp_path_factory.mktemp("tls")
    cert = CA.issue_cert("127.0.0.1")
    cert.cert_chain_pems[0].write_to_path(folder / "chain.pem")
    cert.private_key_pem.write_to_path(folder / "key.pem")
    return TlsSettings(cert_file=folder / "chain.pem", key_file=folder / "key.pem")


@pytest.fixture
def trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    CA.configure_trust(context)
    return context


@pytest.fixture
async def hook(files: TlsSettings) -> AsyncIterator[Hook]:
    async with webhook(settings(tls=files, max_connections=4, read_timeout_seconds=0.5)) as hook:
        yield hook


async def test_handshakes_that_do_not_begin_are_ended_in_time(hook: Hook) -> None:
    async with hook.client() as silent:
        await until(lambda: hook.server.open_connections == 1)
        assert not await silent.rest()
    await counted(hook, "tls_handshake", "closed")
    await until(lambda: hook.server.open_connections == 0)


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", bytes(300), b"\x16\x03\x01\xff\xff" + b"\x01" * 200])
async def test_what_is_no_handshake_is_counted_and_closed(hook: Hook, trust: ssl.SSLContext, garbage: bytes) -> None:
    async with hook.client() as client:
        await client.send(garbage)
        assert not (await client.rest()).startswith(b"HTTP")
    await counted(hook, "tls_handshake", "closed")
    async with hook.client(tls=trust) as client:
        assert (await client.push(good())).status == 200
    assert "worker_crashed" not in hook.log.getvalue()


async def test_peers_amid_their_handshake_keep_nobody_out(hook: Hook, trust: ssl.SSLContext) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(40):
            client = await stack.enter_async_context(hook.client())
            await client.send(b"\x16\x03\x01\x02\x00\x01")
            assert hook.server.open_connections <= 4
        async with hook.client(tls=trust) as client:
            assert (await client.push(good())).status == 200
        assert hook.refused("too_many_connections", "closed") >= 36
    await until(lambda: hook.server.open_connections == 0)


async def test_a_peer_gone_amid_its_handshake_leaves_nothing(hook: Hook) -> None:
    for _ in range(10):
        async with hook.client() as client:
            await client.send(b"\x16\x03")
            client.reset()
    await until(lambda: hook.server.open_connections == 0)


async def test_stopping_ends_handshakes(files: TlsSettings) -> None:
    slow = settings(tls=files, read_timeout_seconds=60)
    async with webhook(slow) as hook, hook.client() as client:
        await until(lambda: hook.server.open_connections == 1)
        assert await asyncio.wait_for(hook.server.stop_accepting(60), 30) == 0
        assert await client.rest() == b""
        assert hook.server.open_connections == 0
