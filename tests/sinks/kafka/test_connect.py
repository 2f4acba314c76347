from typing import Any

import pytest

from sinks.contract import DELIVERED, SinkNotReadyError
from sinks.kafka import SINK
from tests.broker.certificates import Certificates
from tests.broker.cluster import Cluster
from tests.broker.properties import PASSWORDS
from tests.sinks.kafka.support import event, fresh, ids, opened, read, settings

MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


def login(user: str = "router", **more: Any) -> dict[str, Any]:
    return {"sasl_username": user, "sasl_password": PASSWORDS.get(user, "none"), **more}


def client(certificates: Certificates) -> dict[str, Any]:
    return {
        "tls_ca_file": certificates.ca,
        "tls_cert_file": certificates.client,
        "tls_key_file": certificates.client_key,
    }


async def arrives(kafka: Cluster, listener: str, **more: Any) -> None:
    type_ = fresh()
    sent = event(type_)
    async with opened(kafka.listeners(listener), **more) as sink:
        assert await sink.deliver([sent]) == [DELIVERED]
    assert ids(await read(kafka.bootstrap, f"feishu.{type_}", 1)) == [sent.id]


async def refusal(servers: str, **more: Any) -> str:
    """What open() says; it must leave nothing behind."""
    sink = SINK.build("bus", settings(servers, **more))
    with pytest.raises(SinkNotReadyError) as raised:
        await sink.open()
    await sink.close()
    assert not any(password in str(raised.value) for password in PASSWORDS.values())
    return str(raised.value)


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_every_mechanism_gets_in(kafka_secure: Cluster, mechanism: str) -> None:
    await arrives(kafka_secure, "SASL_PLAINTEXT", **login(sasl_mechanism=mechanism))


async def test_password_over_tls_gets_in(kafka_secure: Cluster) -> None:
    await arrives(kafka_secure, "SASL_SSL", **login(tls_ca_file=kafka_secure.certificates.ca))


async def test_a_client_certificate_gets_in(kafka_secure: Cluster) -> None:
    await arrives(kafka_secure, "SSL", **client(kafka_secure.certificates))


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("wrong", [login("router", sasl_password="wrong"), login("nobody")])
async def test_a_wrong_login_is_named(kafka_secure: Cluster, mechanism: str, wrong: dict[str, Any]) -> None:
    servers = kafka_secure.listeners("SASL_PLAINTEXT")
    said = await refusal(servers, sasl_mechanism=mechanism, **wrong)
    assert said == (
        f"Kafka at {servers} (SASL_PLAINTEXT {mechanism}): user name or password refused (SaslAuthenticationFailed)"
    )


async def test_an_unknown_authority_is_named(kafka_secure: Cluster) -> None:
    files = {**client(kafka_secure.certificates), "tls_ca_file": kafka_secure.certificates.other_ca}
    said = await refusal(kafka_secure.listeners("SSL"), **files)
    assert "(SSL): the broker's certificate is not trusted:" in said
    assert said.endswith("(TLS_CA_FILE?)")


async def test_a_name_that_the_certificate_lacks_is_refused_unless_told_otherwise(kafka_secure: Cluster) -> None:
    port = kafka_secure.listeners("SASL_SSL").split(":")[1]
    trusted = login(tls_ca_file=kafka_secure.certificates.ca)
    assert "not trusted: Hostname mismatch" in await refusal(f"localhost:{port}", **trusted)
    sink = SINK.build("bus", settings(f"localhost:{port}", **trusted, tls_verify_hostname=False))
    await sink.open()
    await sink.close()


async def test_a_missing_or_foreign_client_certificate_is_a_matter_of_tls(kafka_secure: Cluster) -> None:
    certificates = kafka_secure.certificates
    assert "missing, expired, or not trusted there?" in await refusal(
        kafka_secure.listeners("SSL"), tls_ca_file=certificates.ca
    )
    foreign = {"tls_cert_file": certificates.other_client, "tls_key_file": certificates.other_client_key}
    said = await refusal(kafka_secure.listeners("SSL"), tls_ca_file=certificates.ca, **foreign)
    assert "missing, expired, or not trusted there?" in said


async def test_files_that_can_not_be_used_are_named(kafka_secure: Cluster) -> None:
    certificates = kafka_secure.certificates
    servers = kafka_secure.listeners("SSL")
    assert await refusal(servers, tls_ca_file="/no/ca.pem") == "can't use /no/ca.pem: No such file or directory"
    mixed = {"tls_cert_file": certificates.client, "tls_key_file": certificates.other_client_key}
    assert str(certificates.client) in await refusal(servers, tls_ca_file=certificates.ca, **mixed)


@pytest.mark.parametrize(("listener", "protocol"), [("PLAINTEXT", "SSL"), ("SASL_SSL", "PLAINTEXT")])
async def test_the_wrong_port_is_a_clear_fault(kafka_secure: Cluster, listener: str, protocol: str) -> None:
    said = await refusal(kafka_secure.listeners(listener), security_protocol=protocol)
    assert f"({protocol}): " in said
    assert len(said.split(": ", 1)[1]) > 10


@pytest.mark.parametrize(
    ("servers", "words"), [("127.0.0.1:9", "connection refused"), ("no.such.host.invalid:9092", "host name")]
)
async def test_nobody_there(servers: str, words: str) -> None:
    assert words in await refusal(servers)


async def test_one_bootstrap_server_that_answers_is_enough(kafka: Cluster) -> None:
    async with opened(f"127.0.0.1:9,{kafka.bootstrap}") as sink:
        assert await sink.deliver([event(fresh())]) == [DELIVERED]


async def test_a_user_who_may_not_write_at_all_is_told_so(kafka_secure: Cluster) -> None:
    said = await refusal(kafka_secure.listeners("SASL_PLAINTEXT"), **login("outsider"))
    assert "ClusterAuthorizationFailedError" in said
