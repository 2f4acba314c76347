"""From the file to its use: pushes, handshakes, tokens and sinks before, while and after it changes."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from router.admin.health import Condition
from router.admin.server import AdminServer
from router.clock import SystemClock
from router.ingress.long_connection.client import LongConnections
from router.rotation import Roads, takers
from router.rotation.rotation import AGAIN_SECONDS
from router.settings import Settings, load
from sinks.settings import SinkSettings
from tests.doubles.commanded_journal import CommandedJournal
from tests.doubles.peer import peer
from tests.doubles.plugin import install
from tests.doubles.pushes import event, signed
from tests.doubles.raw_http import RawClient, request
from tests.doubles.receiver import Receiver
from tests.doubles.waiting import until
from tests.doubles.webhooks import Hook, webhook
from tests.rotation.worlds import World, watching, write

CA = trustme.CA()
LISTEN = {"FER_LISTEN": "127.0.0.1:0", "FER_ADMIN__LISTEN": "127.0.0.1:0"}


class Lanes:
    """Which sinks were replaced, and by which settings."""

    def __init__(self) -> None:
        self.replaced: list[tuple[str, Any]] = []

    async def replace(self, name: str, settings: SinkSettings) -> None:
        self.replaced.append((name, settings))


def ingress(settings: Settings, hook: Hook) -> Roads:
    return Roads(hook.server, LongConnections(settings, hook.intake, hook.telemetry, SystemClock()))


@asynccontextmanager
async def served(
    environ: Mapping[str, str], journal: CommandedJournal | None = None
) -> AsyncIterator[tuple[World, Hook]]:
    """A real webhook whose keys and certificate are watched."""
    settings = load(LISTEN | dict(environ))
    async with webhook(settings, journal) as hook:
        using = takers(settings, ingress(settings, hook), None, Lanes().replace)
        async with watching(LISTEN | dict(environ), using) as world:
            yield world, hook


def push(key: str, event_id: str, path: str = "/webhook/event") -> bytes:
    headers, body = signed(event(event_id), key)
    return request(body, headers, path=path)


async def test_a_key_is_rotated_without_a_push_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    write(path, "old")
    async with served({"FER_APP__ENCRYPT_KEY_FILE": str(path)}) as (world, hook), hook.client() as client:
        for number, (content, answers) in enumerate(
            [("old", (200, 401)), ("old\nnew\n", (200, 200)), ("new\n", (401, 200)), ("newer\nold\n", (200, 401))]
        ):
            write(path, content)
            await world.settle()
            statuses = [(await client.push(push(key, f"{key}-{number}"))).status for key in ("old", "new")]
            assert tuple(statuses) == answers, content


async def test_a_push_in_flight_is_answered_by_the_keys_it_came_under(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    write(path, "old")
    journal = CommandedJournal(auto=False)
    async with served({"FER_APP__ENCRYPT_KEY_FILE": str(path)}, journal) as (world, hook), hook.client() as client:
        await client.send(push("old", "e-1"))
        await journal.wait_appended(1)
        write(path, "new")
        await world.settle()
        journal.commit()
        assert (await client.answer()).status == 200
        assert (await client.push(push("old", "e-2"))).status == 401


async def test_an_app_secret_is_rotated_and_one_that_feishu_refuses_is_not(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write(path, "old")
    async with peer() as feishu:
        environ = LISTEN | {
            "FER_APP__MODE": "long_connection",
            "FER_APP__APP_ID": "cli_1",
            "FER_APP__APP_SECRET_FILE": str(path),
            "FER_APP__DOMAIN": feishu.domain,
            "FER_APP__CONNECTIONS": "1",
        }
        settings = load(environ)
        async with webhook(settings) as hook:
            roads = ingress(settings, hook)
            holding = asyncio.create_task(roads.long_connections.run())
            await feishu.line()
            async with watching(environ, takers(settings, roads, None, Lanes().replace)) as world:
                feishu.answers.append((200, b'{"code":514,"msg":"wrong"}'))
                write(path, "wrong")
                await until_settled(world)
                (kept,) = world.said("settings_kept")
                assert (
                    "FER_APP__APP_SECRET_FILE: no connection came up with it: the app's id or secret is wrong"
                    in str(kept)
                )
                assert not feishu.lines[0].ended.is_set()
                write(path, "new")
                await until_settled(world)
                await feishu.line(1)
                await until(feishu.lines[0].ended.is_set)
                assert [body["AppSecret"] for _, body in feishu.asked] == ["old", "wrong", "new"]
                assert world.said("settings_reloaded")
            await roads.long_connections.stop(5.0)
            holding.cancel()
            await asyncio.wait([holding])
            await roads.long_connections.close()


async def test_each_app_takes_up_its_own_keys(tmp_path: Path) -> None:
    environ = {"FER_APPS": "hr,it"}
    for name in ("hr", "it"):
        write(tmp_path / name, "old")
        environ[f"FER_APP__{name.upper()}__ENCRYPT_KEY_FILE"] = str(tmp_path / name)
    async with served(environ) as (world, hook):
        write(tmp_path / "hr", "new")
        await world.settle()
        for name, key, status in (("hr", "new", 200), ("hr", "old", 401), ("it", "old", 200), ("it", "new", 401)):
            assert (await hook.push(push(key, name + key, f"/webhook/event/{name}"))).status == status


def issue(folder: Path, cert: trustme.LeafCert) -> None:
    write(folder / "tls.crt", b"".join(part.bytes() for part in cert.cert_chain_pems))
    write(folder / "tls.key", cert.private_key_pem.bytes())


async def test_a_certificate_is_rotated_and_half_a_pair_is_not_taken_up(tmp_path: Path) -> None:
    old, new = CA.issue_cert("127.0.0.1"), CA.issue_cert("127.0.0.1")
    issue(tmp_path, old)
    environ = {
        "FER_APP__ENCRYPT_KEY": "key",
        "FER_TLS__CERT_FILE": str(tmp_path / "tls.crt"),
        "FER_TLS__KEY_FILE": str(tmp_path / "tls.key"),
    }
    async with served(environ) as (world, hook):
        assert await shown(hook) == pem(old)
        write(tmp_path / "tls.crt", new.cert_chain_pems[0].bytes())
        await world.settle()
        assert await shown(hook) == pem(old), "a certificate without its key"
        [[fault]] = world.kept
        assert "FER_TLS__CERT_FILE: " in fault
        assert "does not belong" in fault
        write(tmp_path / "tls.key", new.private_key_pem.bytes())
        await world.settle()
        assert await shown(hook) == pem(new)
        assert world.reloaded == [["FER_TLS__CERT_FILE", "FER_TLS__KEY_FILE"]]
        assert world.standing == 0
        write(tmp_path / "tls.key", "rubbish")
        await world.settle()
        assert await shown(hook) == pem(new)
        assert "PRIVATE" not in world.log.getvalue()


async def shown(hook: Hook) -> str:
    """The certificate that a new connection sees."""
    context = ssl.create_default_context()
    CA.configure_trust(context)
    async with RawClient(hook.address, tls=context) as client:
        assert (await client.push(push("key", "e"))).status == 200
        der = client.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return ssl.DER_cert_to_PEM_cert(der)


def pem(cert: trustme.LeafCert) -> str:
    return ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(cert.cert_chain_pems[0].bytes().decode()))


async def test_the_admin_token_is_rotated(tmp_path: Path) -> None:
    path = tmp_path / "token"
    write(path, "old")
    environ = {**LISTEN, "FER_ADMIN__TOKEN_FILE": str(path)}
    settings = load(environ)
    async with webhook(settings) as hook:
        admin = AdminServer(settings.admin, hook.telemetry, Condition)
        (address,) = await admin.start()
        try:
            async with watching(environ, takers(settings, ingress(settings, hook), admin, Lanes().replace)) as world:
                assert [await status(address, token) for token in ("old", "new")] == [200, 401]
                write(path, "new\n")
                await world.settle()
                assert [await status(address, token) for token in ("old", "new")] == [401, 200]
                write(path, "")
                await world.settle()
                assert [await status(address, token) for token in ("old", "new")] == [401, 200]
        finally:
            await admin.close()


async def status(address: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}/", headers=headers) as answer:
        return answer.status


@asynccontextmanager
async def sinking(environ: Mapping[str, str]) -> AsyncIterator[tuple[World, Lanes]]:
    settings = load(LISTEN | dict(environ))
    lanes = Lanes()
    async with (
        webhook(settings) as hook,
        watching(LISTEN | dict(environ), takers(settings, ingress(settings, hook), None, lanes.replace)) as world,
    ):
        yield world, lanes


async def until_settled(world: World) -> None:
    """Trying a sink takes real time."""
    await world.settle()
    await until(lambda: not world.rotation._taking)


async def test_a_sink_is_replaced_once_the_new_credentials_open_it(tmp_path: Path) -> None:
    write(tmp_path / "token", "old")
    async with Receiver() as receiver:
        environ = {
            "FER_SINKS": "iam,other",
            "FER_SINK__IAM__TYPE": "http",
            "FER_SINK__IAM__URL": receiver.url,
            "FER_SINK__IAM__BEARER_TOKEN_FILE": str(tmp_path / "token"),
            "FER_SINK__OTHER__TYPE": "memory",
        }
        async with sinking(environ) as (world, lanes):
            await receiver.stop()
            write(tmp_path / "token", "new")
            await until_settled(world)
            assert lanes.replaced == []
            [[fault]] = world.kept
            assert "connection refused" in fault
            await receiver.start()
            await world.clock.tick(AGAIN_SECONDS)
            await until_settled(world)
            [(name, settings)] = lanes.replaced
            assert (name, settings.bearer_token.get_secret_value()) == ("iam", "new")
            assert world.standing == 0
            assert "new" not in str(world.kept + world.reloaded)


async def test_a_sink_keeps_its_certificate_while_the_new_one_lacks_its_key(tmp_path: Path) -> None:
    first, second = CA.issue_cert("client@example.org"), CA.issue_cert("client@example.org")
    issue(tmp_path, first)
    CA.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert("127.0.0.1").configure_cert(tls)
    async with Receiver(tls) as receiver:
        environ = {
            "FER_SINKS": "iam",
            "FER_SINK__IAM__TYPE": "http",
            "FER_SINK__IAM__URL": receiver.url,
            "FER_SINK__IAM__TLS_CA_FILE": str(tmp_path / "ca.pem"),
            "FER_SINK__IAM__TLS_CERT_FILE": str(tmp_path / "tls.crt"),
            "FER_SINK__IAM__TLS_KEY_FILE": str(tmp_path / "tls.key"),
        }
        async with sinking(environ) as (world, lanes):
            write(tmp_path / "tls.key", second.private_key_pem.bytes())
            await until_settled(world)
            assert lanes.replaced == []
            assert "belong together" in world.kept[0][0]
            issue(tmp_path, second)
            await until_settled(world)
            assert [name for name, _ in lanes.replaced] == ["iam"]
            assert world.standing == 0


async def test_a_plug_in_s_secrets_are_taken_up_without_its_doing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
from pydantic import SecretStr
from sinks.memory import MemorySink

class PigeonSettings(SinkSettings):
    password: SecretStr

class Pigeon(MemorySink):
    def __init__(self, password):
        super().__init__()
        self.password = password

    async def open(self):
        if self.password == "wrong":
            raise SinkNotReadyError("the pigeon won't fly")

SINK = SinkType(PigeonSettings, lambda name, s: Pigeon(s.password.get_secret_value()), lambda s: "loft")
"""
    install(tmp_path, monkeypatch, "pigeon", source)
    write(tmp_path / "password", "old")
    path = str(tmp_path / "password")
    environ = {"FER_SINKS": "p", "FER_SINK__P__TYPE": "pigeon", "FER_SINK__P__PASSWORD_FILE": path}
    async with sinking(environ) as (world, lanes):
        write(tmp_path / "password", "wrong")
        await until_settled(world)
        assert lanes.replaced == []
        assert "the pigeon won't fly" in world.kept[0][0]
        write(tmp_path / "password", "new")
        await until_settled(world)
        assert [settings.password.get_secret_value() for _, settings in lanes.replaced] == ["new"]
