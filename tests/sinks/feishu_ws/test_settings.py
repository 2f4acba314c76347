"""The settings of programs that connect."""

from typing import Any

import pytest
from pydantic import ValidationError

from sinks import registry
from sinks.feishu_ws.settings import FeishuWsSettings, describe, remarks

GOOD: dict[str, Any] = {"type": "feishu_ws", "app_id": "cli_0123456789abcdef", "app_secret": "secret-of-sixteen"}


def made(**options: Any) -> FeishuWsSettings:
    return FeishuWsSettings.model_validate(GOOD | options)


def test_as_safe_as_the_slowest_sdk_needs() -> None:
    settings = made()
    assert (settings.in_flight, settings.ack_seconds, settings.max_connections) == (1, 3.0, 50)


def test_secrets_one_a_line_and_shown_nowhere() -> None:
    settings = made(app_secret="secret-of-sixteen\n another-of-sixteen, \n")
    assert settings.plain_secrets == ["secret-of-sixteen", "another-of-sixteen,"]
    assert "sixteen" not in repr(settings) + describe(settings)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"app_secret": "short"}, "16 characters"),
        ({"app_secret": "secret-of-sixteen\nshort"}, "16 characters"),
        ({"app_secret": "\n"}, "no secret"),
        ({"app_id": "cli 1"}, "letters"),
        ({"app_id": ""}, "letters"),
        ({"app_id": "x" * 65}, "letters"),
        ({"in_flight": 0}, "greater than or equal to 1"),
        ({"ack_seconds": 0}, "greater than 0"),
        ({"ack_seconds": "31s"}, "less than or equal to 30"),
        ({"max_connections": 1001}, "less than or equal to 1000"),
    ],
)
def test_what_cannot_be_meant(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        made(**options)


def test_an_id_that_nodes_sdk_does_not_take() -> None:
    assert remarks(made()) == []
    [remark] = remarks(made(app_id="payroll"))
    assert "Node" in remark
    assert "openssl rand -hex 8" in remark


def test_its_type_is_known() -> None:
    assert registry.find("feishu_ws").settings is FeishuWsSettings
