"""The settings of the port that programs connect to, and of the sinks behind it, together."""

import pytest

from router.settings import load
from router.settings.model import Settings, TlsSettings, WsSettings
from tests.settings.test_load import faults

PROGRAMS = {
    "FER_SINKS": "p",
    "FER_SINK__P__TYPE": "feishu_ws",
    "FER_SINK__P__APP_ID": "cli_0123456789abcdef",
    "FER_SINK__P__APP_SECRET": "secret-of-sixteen",
}


@pytest.mark.parametrize(
    ("ports", "other"),
    [
        ({"FER_WS__LISTEN": "127.0.0.1:8080"}, "FER_LISTEN"),
        ({"FER_LISTEN": "127.0.0.1:8090"}, "FER_LISTEN"),
        ({"FER_WS__LISTEN": ":9464"}, "FER_ADMIN__LISTEN"),
    ],
)
def test_the_port_for_programs_is_its_own_where_there_is_one(ports: dict[str, str], other: str) -> None:
    found = faults(PROGRAMS | ports)
    assert found.keys() == {"FER_WS__LISTEN"}
    assert other in found["FER_WS__LISTEN"].problem
    load(ports)


def test_all_that_is_wrong_with_programs_at_once() -> None:
    given = {"FER_WS__PUBLIC_URL": "https://x.example", "FER_WS__PING_INTERVAL_SECONDS": "1.5"}
    given |= {"FER_SINKS": "p,q", "FER_SINK__P__TYPE": "feishu_ws", "FER_SINK__Q__TYPE": "feishu_ws"}
    given |= {"FER_SINK__P__APP_SECRET": "short", "FER_SINK__Q__APP_ID": "cli_1"}
    assert faults(given).keys() == {
        "FER_WS__PUBLIC_URL",
        "FER_WS__PING_INTERVAL_SECONDS",
        "FER_SINK__P__APP_ID",
        "FER_SINK__P__APP_SECRET",
        "FER_SINK__Q__APP_SECRET",
    }


def test_where_programs_connect() -> None:
    assert WsSettings().domain("127.0.0.1:8090") == "http://127.0.0.1:8090"
    assert WsSettings(tls=TlsSettings.model_construct(cert_file="c", key_file="k")).domain("a:1") == "https://a:1"
    assert WsSettings(public_url="wss://a.example/x").domain("b:1") == "https://a.example/x"
    assert WsSettings(public_url="ws://a.example").domain("b:1") == "http://a.example"
    assert WsSettings(public_url="WSS://a.example").domain("b:1") == "https://a.example"


def test_the_port_is_for_one_type_of_sink() -> None:
    assert load(PROGRAMS).serves_programs
    assert not Settings().serves_programs
