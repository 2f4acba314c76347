import io
import socket
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from router.banner import banner
from router.settings import Settings, load
from router.settings.model import AppSettings, TlsSettings

SECRET = "s3cr3t7f1a"


def said(capsys: pytest.CaptureFixture[str], environ: dict[str, str]) -> str:
    banner(load(environ), ["127.0.0.1:8080"], ["127.0.0.1:9464"])
    return capsys.readouterr().out


def test_without_settings_it_says_everything_a_newcomer_needs(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, {})
    for needed in (
        "http://127.0.0.1:8080/webhook/event\n",
        "http://127.0.0.1:9464/",
        "data/journal.db",
        "files: file → ",
        "no keys, so anyone on this machine may push",
        "loopback only",
        "FER_APP__ENCRYPT_KEY",
        "feishu-event-router send",
    ):
        assert needed in text


def test_where_it_can_not_be_written_the_router_goes_on() -> None:
    full = io.TextIOWrapper(io.FileIO("/dev/full", "wb"), write_through=True)
    with redirect_stdout(full):
        banner(load({}), ["127.0.0.1:8080"], [])
    full.close()


def test_apps_sinks_and_filters_are_named_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    environ = {
        "FER_APPS": "hr,it",
        "FER_APP__HR__ENCRYPT_KEY": SECRET,
        "FER_SINKS": "iam,copy",
        "FER_SINK__IAM__TYPE": "http",
        "FER_SINK__IAM__URL": f"https://iam.example/hooks?key={SECRET}",
        "FER_SINK__IAM__BEARER_TOKEN": SECRET,
        "FER_SINK__IAM__EVENTS": "contact.*,!contact.user.*",
        "FER_SINK__COPY__TYPE": "memory",
    }
    text = said(capsys, environ)
    assert "/webhook/event/hr\n" in text
    assert "/webhook/event/it\n" in text
    assert "no keys for it" in text
    assert "contact.*,!contact.user.*" in text
    assert SECRET not in text


def test_long_connections_are_named_instead_of_a_path(capsys: pytest.CaptureFixture[str]) -> None:
    long = {"FER_APP__MODE": "long_connection", "FER_APP__APP_ID": "cli_1", "FER_APP__APP_SECRET": SECRET}
    text = said(capsys, long)
    assert "app      cli_1: 2 connections to https://open.feishu.cn\n" in text
    assert "/webhook/event" not in text
    assert "feishu-event-router send" not in text, "there is no path to push to"
    assert "no keys" not in text
    assert SECRET not in text


def test_no_sinks_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    banner(Settings(), ["127.0.0.1:8080"], [])
    assert "only stored" in capsys.readouterr().out


@pytest.mark.parametrize(
    "environ",
    [{"FER_LOG__FORMAT": "json"}, {"FER_SINKS": "out", "FER_SINK__OUT__TYPE": "stdout"}],
)
def test_standard_output_that_is_for_machines_gets_nothing(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str]
) -> None:
    assert said(capsys, environ) == ""


def test_tls_is_seen_in_the_address(capsys: pytest.CaptureFixture[str]) -> None:
    tls = TlsSettings(cert_file=Path("c.pem"), key_file=Path("k.pem"))
    banner(Settings(apps={"": AppSettings()}, tls=tls), ["[::1]:8080"], [])
    assert "https://[::1]:8080/webhook/event\n" in capsys.readouterr().out


def test_programs_are_told_what_to_connect_to(capsys: pytest.CaptureFixture[str]) -> None:
    environ = {
        "FER_SINKS": "payroll",
        "FER_SINK__PAYROLL__TYPE": "feishu_ws",
        "FER_SINK__PAYROLL__APP_ID": "payroll",
        "FER_SINK__PAYROLL__APP_SECRET": SECRET * 2,
    }
    banner(load(environ), ["127.0.0.1:8080"], [], ["127.0.0.1:8090"])
    text = capsys.readouterr().out
    assert "programs http://127.0.0.1:8090  (" in text
    assert "programs that connect as payroll" in text
    assert "Note: APP_ID payroll is not" in text
    assert SECRET not in text


@pytest.mark.parametrize(
    ("environ", "domain"),
    [
        ({"FER_WS__LISTEN": ":8090"}, f"http://{socket.gethostname()}:8090"),
        ({"FER_WS__LISTEN": ":8090", "FER_WS__PUBLIC_URL": "wss://events.example"}, "https://events.example"),
    ],
)
def test_programs_are_told_of_every_interface_in_one_line(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str], domain: str
) -> None:
    banner(load(environ), ["127.0.0.1:8080"], [], ["0.0.0.0:8090", "[::]:8090"])
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  programs")]
    assert f" {domain}  (" in line
