"""TLS of the webhook port."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from router.ingress.tls import TlsError, fresh_context, server_context
from router.settings.model import TlsSettings
from tests.doubles.commanded_journal import CommandedJournal
from tests.doubles.raw_http import RawClient
from tests.doubles.sending import good
from tests.doubles.waiting import until
from tests.doubles.webhooks import settings, webhook

CA = trustme.CA()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return write(CA.issue_cert("127.0.0.1"), tmp_path)


def write(cert: trustme.LeafCert, folder: Path) -> tuple[Path, Path]:
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(part.bytes() for part in cert.cert_chain_pems))
    key.write_bytes(cert.private_key_pem.bytes())
    return chain, key


def certificate(client: RawClient) -> bytes:
    """The one that the server showed, as DER."""
    shown = client.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    assert isinstance(shown, bytes)
    return shown


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


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_new_connections_see_the_new_certificate_and_open_ones_go_on(
    files: tuple[Path, Path], tmp_path: Path, version: ssl.TLSVersion
) -> None:
    tls = TlsSettings(cert_file=files[0], key_file=files[1])
    context = client_context(minimum_version=version, maximum_version=version)
    async with webhook(settings(tls=tls)) as hook, hook.client(tls=context) as old:
        assert (await old.push(good("e-1"))).status == 200
        for number in range(2, 4):
            write(CA.issue_cert("127.0.0.1"), tmp_path)
            hook.server.use_certificate(fresh_context(tls))
            async with hook.client(tls=context) as new:
                assert (await new.push(good(f"e-{number}"))).status == 200
                assert ssl.DER_cert_to_PEM_cert(certificate(new)) in tls_text(files[0])
                assert certificate(new) != certificate(old)
            assert (await old.push(good(f"o-{number}"))).status == 200


def tls_text(path: Path) -> str:
    return path.read_text()


def test_a_certificate_to_take_up_must_be_valid_now(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    day = timedelta(days=1)
    for begins, ends, words in (
        (now - 2 * day, now - day, "chain.pem has expired"),
        (now + day, now + 2 * day, "chain.pem is not valid yet"),
    ):
        chain, key = write(CA.issue_cert("127.0.0.1", not_before=begins, not_after=ends), tmp_path)
        tls = TlsSettings(cert_file=chain, key_file=key)
        assert server_context(tls) is not None, "a start with it is better than none"
        with pytest.raises(TlsError, match=words):
            fresh_context(tls)


@pytest.mark.parametrize("key_type", list(trustme.KeyType))
def test_a_certificate_of_any_kind_can_be_taken_up(tmp_path: Path, key_type: trustme.KeyType) -> None:
    intermediate = CA.create_child_ca(key_type)
    for issuer in (CA, intermediate):
        cert = issuer.issue_cert("router.example", key_type=key_type)
        chain, key = write(cert, tmp_path)
        fresh_context(TlsSettings(cert_file=chain, key_file=key))
        both = tmp_path / "both.pem"
        both.write_bytes(key.read_bytes() + chain.read_bytes())
        fresh_context(TlsSettings(cert_file=both, key_file=both))


def test_halves_of_two_pairs_cannot_be_taken_up(files: tuple[Path, Path]) -> None:
    files[1].write_bytes(CA.issue_cert("127.0.0.1").private_key_pem.bytes())
    with pytest.raises(TlsError, match="does not belong"):
        fresh_context(TlsSettings(cert_file=files[0], key_file=files[1]))
    with pytest.raises(TlsError, match="off"):
        fresh_context(TlsSettings())
