import asyncio
import socket

from router.ingress.long_connection.probe import probe_apps
from router.settings.model import AppSettings
from tests.doubles.peer import peer
from tests.ingress.long_connection.worlds import SECRET, app


async def test_each_app_that_connects_is_asked_and_none_connects() -> None:
    async with peer() as good, peer() as bad:
        bad.answers.append((200, b'{"code":514,"msg":"their words"}'))
        first, second = await probe_apps({"": app(good.domain), "bad": app(bad.domain), "web": AppSettings()}, 30)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            (third,) = await probe_apps({"slow": app(f"http://127.0.0.1:{silent.getsockname()[1]}")}, 0.5)
        assert (first.app, first.ok, first.detail) == ("cli_0123456789abcdef", True, "")
        assert not second.ok
        assert "id or secret is wrong: their words (compare APP_ID" in second.detail
        assert third.detail == "no answer within 0.5 s"
        assert SECRET not in str((first, second, third))
        await asyncio.sleep(0)
        assert not good.lines
