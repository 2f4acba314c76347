"""The brokers' configuration: one or three nodes, plain or with every listener that clients are met by."""

from dataclasses import dataclass, field
from pathlib import Path

from tests.broker.certificates import Certificates

PLAIN = ("PLAINTEXT",)
SECURE = ("PLAINTEXT", "SASL_PLAINTEXT", "SSL", "SASL_SSL")
PASSWORDS = {"router": "right-password", "stranger": "strangers-password", "outsider": "outsiders-password"}
"""Users of SASL PLAIN and SCRAM. `router` may do everything, `stranger` what a test allows, `outsider` nothing."""
SCRAM = tuple(
    f"{mechanism}=[name={user},password={password}]"
    for user, password in PASSWORDS.items()
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
)

# Internal topics default to 50 partitions and 3 replicas, new groups to 3 s of waiting, the cleaner's buffer to 128 MB;
# the last four lines make a killed node be noticed after 3 s instead of 9.
_COMMON = """\
process.roles=broker,controller
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
auto.create.topics.enable=false
num.partitions=3
offsets.topic.num.partitions=3
transaction.state.log.num.partitions=3
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
background.threads=2
num.recovery.threads.per.data.dir=1
log.cleaner.dedupe.buffer.size=4194304
log.index.size.max.bytes=1048576
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
controller.quorum.election.timeout.ms=500
controller.quorum.fetch.timeout.ms=1000
"""


@dataclass(frozen=True, slots=True)
class Node:
    """One node: id from 1, folder of its storage, its port for each listener, `CONTROLLER` included.

    advertised: ports that clients are told instead, by listener, where something stands between.
    """

    id: int
    data: Path
    ports: dict[str, int]
    advertised: dict[str, int] = field(default_factory=dict)


def render(node: Node, nodes: list[Node], certificates: Certificates | None = None) -> str:
    """The server.properties of that node; with certificates it has listeners for SASL and TLS, and an authorizer."""
    names = [name for name in node.ports if name != "CONTROLLER"]
    listeners = _addresses(node.ports)
    told = _addresses({name: node.advertised.get(name, node.ports[name]) for name in names})
    voters = [f"{peer.id}@127.0.0.1:{peer.ports['CONTROLLER']}" for peer in nodes]
    own = {
        "node.id": str(node.id),
        "log.dirs": str(node.data),
        "controller.quorum.voters": ",".join(voters),
        "listeners": ",".join(listeners),
        "advertised.listeners": ",".join(told),
        "listener.security.protocol.map": ",".join(["CONTROLLER:PLAINTEXT", *(f"{name}:{name}" for name in names)]),
        **_replication(len(nodes)),
        **(_security(certificates) if certificates else {}),
    }
    return _COMMON + "".join(f"{key}={value}\n" for key, value in own.items())


def _addresses(ports: dict[str, int]) -> list[str]:
    return [f"{name}://127.0.0.1:{port}" for name, port in ports.items()]


def _replication(nodes: int) -> dict[str, str]:
    internal = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
    in_sync = str(min(nodes, 2))
    return {
        "default.replication.factor": str(nodes),
        "min.insync.replicas": in_sync,
        **{f"{topic}.replication.factor": str(nodes) for topic in internal},
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.min.isr": in_sync,
    }


def _security(certificates: Certificates) -> dict[str, str]:
    module = "org.apache.kafka.common.security"
    plain = " ".join(f'user_{user}="{password}"' for user, password in PASSWORDS.items())
    logins = {
        "plain": f"{module}.plain.PlainLoginModule required {plain};",
        "scram-sha-256": f"{module}.scram.ScramLoginModule required;",
        "scram-sha-512": f"{module}.scram.ScramLoginModule required;",
    }
    return {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        **{
            f"listener.name.{listener}.{mechanism}.sasl.jaas.config": login
            for listener in ("sasl_plaintext", "sasl_ssl")
            for mechanism, login in logins.items()
        },
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(certificates.server),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(certificates.ca),
        "listener.name.ssl.ssl.client.auth": "required",
        "listener.name.ssl.ssl.principal.mapping.rules": r"RULE:^.*CN=([^,]+).*$/$1/,DEFAULT",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:router",
    }
