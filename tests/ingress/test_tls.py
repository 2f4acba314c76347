"""TLS of the webhook port."""

import ssl
from pathlib import Path

import pytest
import trustme

from router.ingress.tls import TlsError, server_context
from router.settings.model import TlsSettings
from tests.doubles.commanded_journal import CommandedJournal
from tests.doubles.sending import good
from tests.doubles.waiting import until
from tests.doubles.webhooks import settings, webhook

CA = trustme.CA()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    cert = CA.issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(b"".join(part.bytes() for part in cert.cert_chain_pems))
    key.write_bytes(cert.private_key_pem.bytes())
    return chain, key


def client_context(**options: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.create_default_context()
    CA.configure_trust(context)
    for name, value in options.items():
        setattr(context, name, value)
    return context


async def test_pushes_over_tls(files: tuple[Path, Path]) -> None:
    async with webhook(settings(tls=TlsSettings(cert_file=files[0], key_file=files[1]))) as hook:
        async with hook.client(tls=client_context()) as client:
            assert [(await client.push(good(f"e-{n}"))).status for n in range(3)] == [200, 200, 200]
        async with hook.client(tls=client_context()) as client:
            client.writer.write(good()[:-1])
            client.writer.transport.abort()
        async with hook.client(tls=client_context()) as client:
            assert (await client.push(good("after"))).status == 200


async def test_a_peer_that_ends_its_side_over_tls_is_ended(files: tuple[Path, Path]) -> None:
    journal = CommandedJournal(auto=False)
    async with webhook(settings(tls=TlsSettings(cert_file=files[0], key_file=files[1])), journal) as hook:
        async with hook.client(tls=client_context()) as client:
            await client.send(good())
            await journal.wait_appended(1)
            client.writer.close()
            await until(lambda: hook.server.open_connections == 0)
        journal.commit()
        await until(lambda: hook.count("stored", app="") == 1)


async def test_old_tls_is_refused(files: tuple[Path, Path]) -> None:
    old = client_context()
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    async with webhook(settings(tls=TlsSettings(cert_file=files[0], key_file=files[1]))) as hook:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            async with hook.client(tls=old):
                pass


async def test_plain_http_on_the_tls_port_gets_no_answer(files: tuple[Path, Path]) -> None:
    async with (
        webhook(settings(tls=TlsSettings(cert_file=files[0], key_file=files[1]))) as hook,
        hook.client() as client,
    ):
        await client.send(good())
        assert not (await client.rest()).startswith(b"HTTP")


def test_one_file_may_hold_both(files: tuple[Path, Path], tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(files[1].read_bytes() + files[0].read_bytes())
    assert server_context(TlsSettings(cert_file=both, key_file=both)) is not None


def test_off_without_files() -> None:
    assert server_context(TlsSettings()) is None


def test_mistakes_are_told_in_words(files: tuple[Path, Path], tmp_path: Path) -> None:
    chain, key = files
    other = tmp_path / "other.pem"
    other.write_bytes(CA.issue_cert("127.0.0.1").private_key_pem.bytes())
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("rubbish")
    missing = tmp_path / "missing.pem"
    for cert_file, key_file, words in (
        (missing, key, "missing.pem is not there"),
        (chain, missing, "missing.pem is not there"),
        (chain, other, "does not belong to the certificate"),
        (rubbish, key, "must hold a PEM certificate chain"),
        (chain, rubbish, "must hold a PEM certificate chain"),
        (chain, chain, "must hold a PEM certificate chain"),
    ):
        with pytest.raises(TlsError, match=words):
            server_context(TlsSettings(cert_file=cert_file, key_file=key_file))
