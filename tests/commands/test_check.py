"""`check` on good settings, bad ones, and sinks that do and don't answer."""

import os
import socket
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from router.cli import cli
from tests.doubles.plugin import install

SECRET = "s3cr3t7f1a"
BASE = {"FER_SINKS": "copy", "FER_SINK__COPY__TYPE": "memory"}


def check(*args: str, env: dict[str, str]) -> Result:
    clean: dict[str, str | None] = {name: None for name in os.environ if name.startswith("FER_")}
    return CliRunner().invoke(cli, ["check", *args], env={**clean, **env})


def test_good_settings_as_tables(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"{SECRET}\n{SECRET}-old\n")
    result = check(
        env={
            "FER_LISTEN": ":8080",
            "FER_APPS": "hr,it",
            "FER_APP__HR__ENCRYPT_KEY_FILE": str(tmp_path / "keys"),
            "FER_APP__IT__VERIFICATION_TOKEN": SECRET,
            "FER_SINKS": "iam,archive",
            "FER_SINK__IAM__TYPE": "http",
            "FER_SINK__IAM__URL": f"https://iam.example/hooks?key={SECRET}",
            "FER_SINK__IAM__BEARER_TOKEN": SECRET,
            "FER_SINK__IAM__EVENTS": "contact.user.*,!contact.user.updated_v3",
            "FER_SINK__ARCHIVE__TYPE": "file",
            "FER_SINK__ARCHIVE__PATH": "/data/{date}/{event_type}.jsonl",
            "FER_SINK__ARCHIVE__EVENTS": "corehr.*,!corehr.department.*",
        }
    )
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert SECRET not in result.output
    assert "(every interface)" in lines[0]
    (hr,) = [line for line in lines if line.startswith("hr ")]
    assert "/webhook/event/hr" in hr
    assert "set (2 keys)" in hr
    routes = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines if "_v" in line.split(" ")[0]}
    assert routes["corehr.job_change.status_updated_v2"] == "archive"
    assert routes["corehr.department.updated_v2"] == "NO SINK"
    assert routes["contact.user.updated_v3"] == "NO SINK"
    assert "no sink wants contact.user.updated_v3, corehr.department.updated_v2;" in result.output
    assert lines[-1] == "The settings are good."


def test_misspelt_pattern_is_noted() -> None:
    result = check(env={**BASE, "FER_SINK__COPY__EVENTS": "*,!corehr.departmnt.*"})
    assert result.exit_code == 0
    assert "!corehr.departmnt.* of sink copy matches no event type" in result.output


def test_faults_end_with_status_2_and_print_no_table() -> None:
    result = check(env={**BASE, "FER_LISTN": "x"})
    assert (result.exit_code, result.stdout) == (2, "")
    assert "FER_LISTN" in result.stderr


def test_json() -> None:
    result = check("--json", env={**BASE, "FER_APP__ENCRYPT_KEY": SECRET})
    document = orjson.loads(result.stdout)
    assert result.exit_code == 0
    assert document["ok"]
    assert document["apps"] == [
        {
            "name": "",
            "path": "/webhook/event",
            "long_connection": "",
            "encrypt_key": "set (1 key)",
            "verification_token": "not set",
            "app_id": "any",
        }
    ]
    assert document["sinks"][0]["name"] == "copy"
    assert {"type": "corehr.department.updated_v2", "sinks": ["copy"]} in document["routes"]
    assert {"variable": "FER_LOG__LEVEL", "value": "info", "default": True} in document["settings"]
    assert SECRET not in result.stdout


def test_an_app_with_long_connections_only() -> None:
    long = {"FER_APP__MODE": "long_connection", "FER_APP__APP_ID": "cli_1", "FER_APP__APP_SECRET": SECRET}
    result = check("--json", env={**BASE, **long})
    document = orjson.loads(result.stdout)
    (app,) = document["apps"]
    assert (app["path"], app["long_connection"]) == ("", "2 to https://open.feishu.cn")
    assert not [warning for warning in document["warnings"] if "without a key" in warning]
    assert SECRET not in result.stdout
    assert "2 to https://open.feishu.cn" in check(env={**BASE, **long}).stdout


def test_connect_asks_feishu_too() -> None:
    long = {"FER_APP__MODE": "long_connection", "FER_APP__APP_ID": "cli_1", "FER_APP__APP_SECRET": SECRET}
    env = {**BASE, **long, "FER_APP__DOMAIN": "http://127.0.0.1:1"}
    result = check("--connect", env=env)
    assert result.exit_code == 1
    assert "app at Feishu" in result.stdout
    assert "it can't be reached" in result.stdout
    assert "these don't answer as they should: Feishu for cli_1. The router" in result.stdout
    (probe,) = orjson.loads(check("--connect", "--json", env=env).stdout)["feishu"]
    assert (probe["app"], probe["ok"]) == ("cli_1", False)
    assert SECRET not in result.stdout


def test_faults_as_json() -> None:
    result = check("--json", env={**BASE, "FER_APP__ENCRYPT_KEY": SECRET, "FER_LISTN": SECRET})
    assert result.exit_code == 2
    assert orjson.loads(result.stdout) == {
        "ok": False,
        "faults": [{"variable": "FER_LISTN", "problem": "is not a setting", "suggestion": "did you mean FER_LISTEN?"}],
    }


def test_connect_says_which_sink_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    env = {
        "FER_SINKS": "copy,iam",
        "FER_SINK__COPY__TYPE": "memory",
        "FER_SINK__IAM__TYPE": "http",
        "FER_SINK__IAM__URL": f"http://127.0.0.1:{port}/?key={SECRET}",
    }
    result = check("--connect", "--timeout", "10", env=env)
    assert result.exit_code == 1, result.output
    answers = result.output.split("Answers\n")[1]
    assert "copy    yes" in answers
    assert "iam     NO" in answers
    assert "refused" in answers
    assert SECRET not in result.output


def test_connect_when_all_answer(tmp_path: Path) -> None:
    result = check("--connect", "--json", env={"FER_DATA_DIR": str(tmp_path)})
    assert result.exit_code == 0, result.output
    (probe,) = orjson.loads(result.stdout)["connect"]
    assert (probe["sink"], probe["ok"], probe["detail"]) == ("files", True, "")


def test_sink_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
import asyncio

class Silent:
    async def open(self): await asyncio.Event().wait()
    async def close(self): await asyncio.Event().wait()

SINK = SinkType(SinkSettings, lambda name, settings: Silent(), lambda settings: "nowhere")
"""
    install(tmp_path, monkeypatch, "silent", source)
    result = check("--connect", "--timeout", "0.2", env={"FER_SINKS": "a", "FER_SINK__A__TYPE": "silent"})
    assert result.exit_code == 1
    assert "no answer within 0.2 s" in result.output


def test_a_certificate_that_could_not_be_served_is_a_fault(tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("no PEM")
    tls = {"FER_TLS__CERT_FILE": str(tmp_path / "cert.pem"), "FER_TLS__KEY_FILE": str(tmp_path / "key.pem")}
    result = check(env={**BASE, **tls})
    assert result.exit_code == 2
    assert "FER_TLS__CERT_FILE" in result.output
    assert "PEM certificate chain" in result.output


def test_the_certificate_for_programs_is_tried_where_there_are_any(tmp_path: Path) -> None:
    (tmp_path / "tls.pem").write_text("no PEM")
    path = str(tmp_path / "tls.pem")
    tls = {f"FER_{port}TLS__{kind}_FILE": path for port in ("", "WS__") for kind in ("CERT", "KEY")}
    programs = {
        "FER_SINKS": "copy,payroll",
        "FER_SINK__PAYROLL__TYPE": "feishu_ws",
        "FER_SINK__PAYROLL__APP_ID": "cli_0123456789abcdef",
        "FER_SINK__PAYROLL__APP_SECRET": "secret-of-sixteen",
    }
    result = check("--json", env={**BASE, **tls})
    assert [fault["variable"] for fault in orjson.loads(result.output)["faults"]] == ["FER_TLS__CERT_FILE"]
    result = check("--json", env={**BASE, **tls, **programs})
    named = [fault["variable"] for fault in orjson.loads(result.output)["faults"]]
    assert named == ["FER_TLS__CERT_FILE", "FER_WS__TLS__CERT_FILE"]


def test_what_a_library_says_meanwhile_is_noted_once_without_its_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
import logging

class Chatty:
    async def open(self):
        for _ in range(3):
            logging.getLogger("somelib.conn").warning("Sending username and password in the clear")
        logging.getLogger("somelib").error("Unable to connect with %s", "s3cr3t7f1a")

    async def close(self): ...

SINK = SinkType(SinkSettings, lambda name, settings: Chatty(), lambda settings: "nowhere")
"""
    install(tmp_path, monkeypatch, "chatty", source)
    env = {"FER_SINKS": "a,b", "FER_SINK__A__TYPE": "chatty", "FER_SINK__B__TYPE": "chatty"}
    result = check("--connect", env=env)
    assert result.exit_code == 0
    assert result.output.count("somelib") == 1
    assert "Note: somelib says: Sending username and password in the clear" in result.output
    document = orjson.loads(check("--connect", "--json", env=env).stdout)
    assert document["warnings"].count("somelib says: Sending username and password in the clear") == 1
