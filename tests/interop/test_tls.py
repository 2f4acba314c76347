"""Over TLS, with a certificate of one's own, behind a path: programs with all four SDKs connect as to Feishu itself."""

import subprocess
import time
from pathlib import Path

import pytest
import trustme

from router.feishu.samples import fresh, sample, seed_types
from tests.interop.bots import LONG_CONNECTION
from tests.interop.matrix import OK, all_bots, verdict
from tests.interop.stage import LINE, Stage

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]
PASSWORD = "changeit"


def trust(authority: trustme.CA, folder: Path) -> dict[str, str]:
    """How each of the four runtimes is told of a certificate authority."""
    pem, store = folder / "ca.pem", folder / "trust.p12"
    authority.cert_pem.write_to_path(str(pem))
    command = ["keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", str(pem)]
    subprocess.run(
        [*command, "-keystore", str(store), "-storepass", PASSWORD], check=True, capture_output=True, timeout=60
    )
    java = {"trustStore": store, "trustStorePassword": PASSWORD}
    return {
        "SSL_CERT_FILE": str(pem),  # Go, and Python's websocket
        "REQUESTS_CA_BUNDLE": str(pem),  # Python's first question
        "NODE_EXTRA_CA_CERTS": str(pem),
        "JAVA_TOOL_OPTIONS": " ".join(f"-Djavax.net.ssl.{name}={value}" for name, value in java.items()),
    }


async def test_events_come_over_tls(tmp_path: Path) -> None:
    authority, pem = trustme.CA(), tmp_path / "tls.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
    bots = [bot for bot in all_bots(tmp_path) if bot.mode == LONG_CONNECTION]
    trusting = trust(authority, tmp_path)
    for bot in bots:
        bot.environ = trusting
    tls = {"FER_WS__TLS__CERT_FILE": str(pem), "FER_WS__TLS__KEY_FILE": str(pem)}
    stage = Stage(tmp_path, bots, tls)
    stage.domain = stage.domain.replace("http://", "https://") + "/a/path/"
    pushes = [fresh(sample(type_), time.time(), "", LINE) for type_ in seed_types()]
    async with stage:
        for push in pushes:
            stage.feishu.push(push, app_id=LINE)
        await stage.arrived([push["header"]["event_id"] for push in pushes])
    assert {verdict(bot, push) for bot in bots for push in pushes} == {OK}
