import asyncio
import socket
from pathlib import Path
from urllib.parse import urlsplit

import trustme

from router.ingress.long_connection.probe import probe_apps
from router.settings.model import AppSettings
from tests.doubles.peer import peer
from tests.doubles.proxy import ForwardProxy
from tests.ingress.long_connection.worlds import SECRET, app


async def test_the_websockets_host_is_reached_and_no_handshake_made(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with (
        ForwardProxy() as proxy,
        peer(ca.issue_cert("127.0.0.1")) as feishu,
        peer(ca.issue_cert("127.0.0.2")) as wrong,
    ):
        asked = app(feishu.domain, tls_ca_file=tmp_path / "ca.pem", proxy=f"http://127.0.0.1:{proxy.port}")
        (good,) = await probe_apps({"": asked}, 30)
        assert (good.ok, good.detail) == (True, "")
        feishu.answers.append((200, feishu.endpoint(URL=wrong.domain.replace("https", "wss") + "/?ticket=t1cket")))
        (bad,) = await probe_apps({"": asked}, 30)
        assert not bad.ok
        assert bad.detail.startswith(
            f"the websocket through the proxy 127.0.0.1:{proxy.port}: its certificate is another"
        )
        assert "t1cket" not in bad.detail
        assert [line.split()[0] for line in proxy.lines] == ["CONNECT"] * 4
        assert proxy.lines[1].split()[1] == urlsplit(feishu.domain).netloc
        assert proxy.lines[3].split()[1] == urlsplit(wrong.domain).netloc
        feishu.answers.append((200, feishu.endpoint(URL="wss://127.0.0.1:99999/")))
        (odd,) = await probe_apps({"": asked}, 30)
        assert odd.detail.startswith("the websocket through")
        assert len(feishu.asked) == 3
        assert not [*feishu.lines, *wrong.lines, *wrong.asked]


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
