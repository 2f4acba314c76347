"""Rights, passwords and certificates that end while events flow, on three brokers; and come back."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.broker import wire
from tests.broker.certificates import Certificates
from tests.broker.cluster import Cluster, launch
from tests.broker.properties import PASSWORDS
from tests.sinks.kafka.rig import rig
from tests.sinks.kafka.support import create

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def three() -> Iterator[Cluster]:
    with launch(3, secure=True) as started:
        yield started


def port(kafka: Cluster) -> int:
    return kafka.nodes[0].ports["PLAINTEXT"]


def login(user: str, password: str = "") -> dict[str, Any]:
    return {"sasl_username": user, "sasl_password": password or PASSWORDS[user]}


def client(certificates: Certificates, kind: str = "") -> dict[str, Any]:
    return {
        "tls_ca_file": certificates.ca,
        "tls_cert_file": getattr(certificates, f"{kind}client"),
        "tls_key_file": getattr(certificates, f"{kind}client_key"),
    }


async def restart(kafka: Cluster) -> None:
    """So that all connections are made anew."""
    for node in kafka.nodes:
        kafka.kill(node.id)
    await asyncio.to_thread(kafka.restore)


async def test_rights_are_taken_away_and_given_back(three: Cluster, tmp_path: Path) -> None:
    rights = (wire.WRITE, wire.DESCRIBE)
    async with rig(tmp_path, three.listeners("SASL_PLAINTEXT"), **login("stranger")) as world:
        for topic in world.topics:
            await create(three, topic)
            wire.allow(port(three), "stranger", topic, *rights)
        await world.steady()
        wire.forbid(port(three), "stranger", world.topics[0], *rights)
        await world.held_back(world.topics[0])
        await world.held_back(world.topics[0])  # by a probe: what was under way to other brokers has ended
        before, others = world.delivered_of(0), world.delivered_of(1)
        await world.flow(100)
        assert world.delivered_of(0) == before
        assert world.delivered_of(1) > others, "the other topics go on"
        wire.allow(port(three), "stranger", world.topics[0], *rights)
        seconds = await world.caught_up()
        await world.end()
        await world.verify("rights taken away and given back", three.bootstrap, seconds)


async def test_the_password_is_wrong_at_the_start_and_rotated_later(three: Cluster, tmp_path: Path) -> None:
    """What was under way when the sink is given a new password may be there twice: the old producer is gone."""
    first, second = "the-second-password", "the-third-password"
    async with rig(tmp_path, three.listeners("SASL_PLAINTEXT"), **login("router", first)) as world:
        await world.until(lambda: world.bus_lane.state == "unavailable")
        await world.flow(50)
        assert not world.bus.delivered
        wire.set_password(port(three), "router", first)
        begun = time.monotonic()
        await world.caught_up()
        at_start = time.monotonic() - begun
        wire.set_password(port(three), "router", second)
        await restart(three)
        await world.until(lambda: "password refused" in world.bus.details.get("authentication", ""))
        under_way = world.under_way()
        world.replace(three.listeners("SASL_PLAINTEXT"), **login("router", second))
        seconds = await world.caught_up()
        await world.end()
        print(f"wrong at the start, then right: {at_start:.1f} s")
        row = await world.verify("password rotated", three.bootstrap, seconds, copies=under_way)
        print(f"copies {row.copies}, under way at the change {under_way}")
    wire.set_password(port(three), "router", PASSWORDS["router"])


async def test_certificates_expire(three: Cluster, tmp_path: Path) -> None:
    """The brokers', then ours: nobody gets in, the reason is named; a renewed one ends it."""
    certificates = three.certificates
    good = certificates.server.read_bytes()
    async with rig(tmp_path, three.listeners("SSL"), **client(certificates)) as world:
        await world.steady()
        shutil.copy(certificates.expired_server, certificates.server)
        await restart(three)
        await world.until(lambda: "certificate has expired" in world.bus.details.get("tls", ""))
        certificates.server.write_bytes(good)
        await restart(three)
        seconds = await world.caught_up()
        await world.end()
        await world.verify("broker's certificate expired", three.bootstrap, seconds)
        world.replace(three.listeners("SSL"), **client(certificates, "expired_"))
        world.flowing.set()
        await world.until(lambda: "the broker refuses our certificate" in world.bus_lane.reading().reason)
        await world.flow(50)
        world.replace(three.listeners("SSL"), **client(certificates))
        seconds = await world.caught_up()
        await world.end()
        await world.verify("client's certificate expired", three.bootstrap, seconds)
