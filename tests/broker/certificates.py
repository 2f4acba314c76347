"""Certificates for a broker with TLS, and for clients that should and shouldn't get in."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization

Span = tuple[datetime | None, datetime | None]
VALID: Span = (None, None)
EXPIRED: Span = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 2, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files. `server`: the broker's key store; `client`: certificate of CN=router, its key in `client_key`.

    expired_…: the same, but no longer valid.
    """

    ca: Path
    server: Path
    client: Path
    client_key: Path
    other_ca: Path
    """An authority that signed nothing here."""
    other_client: Path
    other_client_key: Path
    expired_server: Path
    expired_client: Path
    expired_client_key: Path


def issue(folder: Path) -> Certificates:
    """Make two authorities and their certificates in that folder."""
    folder.mkdir()
    ours, others = trustme.CA(), trustme.CA()
    return Certificates(
        ca=_write(folder / "ca.pem", ours.cert_pem.bytes()),
        server=_server(folder, "server", ours),
        **_client(folder, "client", ours),
        other_ca=_write(folder / "other-ca.pem", others.cert_pem.bytes()),
        **_client(folder, "other_client", others),
        expired_server=_server(folder, "expired_server", ours, EXPIRED),
        **_client(folder, "expired_client", ours, EXPIRED),
    )


def _server(folder: Path, name: str, ca: trustme.CA, span: Span = VALID) -> Path:
    # not "localhost": that is the wrong name in tests
    leaf = ca.issue_cert("127.0.0.1", not_before=span[0], not_after=span[1])
    chain = [_pkcs8(leaf), *(blob.bytes() for blob in leaf.cert_chain_pems), ca.cert_pem.bytes()]
    return _write(folder / f"{name}.pem", b"".join(chain))


def _client(folder: Path, name: str, ca: trustme.CA, span: Span = VALID) -> dict[str, Path]:
    leaf = ca.issue_cert("router.example", common_name="router", not_before=span[0], not_after=span[1])
    certificate = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    return {
        name: _write(folder / f"{name}.pem", certificate),
        f"{name}_key": _write(folder / f"{name}-key.pem", _pkcs8(leaf)),
    }


def _pkcs8(leaf: trustme.LeafCert) -> bytes:
    """Kafka reads keys in PKCS#8 only."""
    key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
