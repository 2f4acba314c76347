"""Breaks the settings in every way section 5 of the design names, and expects each fault by its variable's name."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from router.settings import Fault, SettingsError, load
from sinks.file.settings import FileSettings
from sinks.http.settings import HttpSettings
from tests.doubles.plugin import install

KEYS = {"SINK": {"FER_APP__ENCRYPT_KEY": "k"}, "APP": {}}
MEMORY = {"FER_SINKS": "m", "FER_SINK__M__TYPE": "memory"}


def faults(environ: dict[str, str]) -> dict[str, Fault]:
    with pytest.raises(SettingsError) as caught:
        load(environ)
    return {fault.variable: fault for fault in caught.value.faults}


def revealed(secrets: list[SecretStr]) -> list[str]:
    return [secret.get_secret_value() for secret in secrets]


def test_nothing_set_runs_on_loopback_with_files_below_the_data_directory() -> None:
    settings = load({})
    assert settings.listen == "127.0.0.1:8080"
    assert list(settings.apps) == [""]
    assert not settings.apps[""].encrypt_key
    (sink,) = settings.sinks.values()
    assert isinstance(sink, FileSettings)
    assert sink.path == "data/events/{date}/{event_type}.jsonl"
    assert list(settings.sinks) == ["files"]


def test_default_files_follow_the_data_directory() -> None:
    sink = load({"FER_DATA_DIR": "/srv/fer"}).sinks["files"]
    assert isinstance(sink, FileSettings)
    assert sink.path.startswith("/srv/fer/events/")


def test_data_directory_that_no_path_template_can_hold_is_a_fault_not_a_crash() -> None:
    assert list(faults({"FER_DATA_DIR": "/srv/{oops"})) == ["FER_DATA_DIR"]
    assert list(faults({"FER_DATA_DIR": "/srv/{date}"})) == ["FER_DATA_DIR"]
    assert str(load({**MEMORY, "FER_DATA_DIR": "/srv/{date}"}).data_dir) == "/srv/{date}"


def test_other_variables_are_nobodys_business() -> None:
    assert load({"PATH": "/bin", "FERRY": "x", "fer_listen": "x", "XFER_LISTEN": "y"}).listen == "127.0.0.1:8080"


def test_short_form_of_one_app() -> None:
    settings = load({**MEMORY, "FER_APP__ENCRYPT_KEY": "new,key\nold", "FER_APP__VERIFICATION_TOKEN": "t"})
    assert revealed(settings.apps[""].encrypt_key) == ["new,key", "old"]
    assert revealed(settings.apps[""].verification_token) == ["t"]


def test_several_apps() -> None:
    settings = load(
        {**MEMORY, "FER_APPS": "hr, it_2", "FER_APP__HR__ENCRYPT_KEY": "a", "FER_APP__IT_2__APP_ID": "cli_1"}
    )
    assert list(settings.apps) == ["hr", "it_2"]
    assert revealed(settings.apps["hr"].encrypt_key) == ["a"]
    assert settings.apps["it_2"].app_id == "cli_1"


def test_app_named_like_a_setting_is_still_told_apart() -> None:
    settings = load({**MEMORY, "FER_APPS": "encrypt_key", "FER_APP__ENCRYPT_KEY__APP_ID": "cli_1"})
    assert settings.apps["encrypt_key"].app_id == "cli_1"


def test_mixing_both_forms_of_apps() -> None:
    fault = faults({**MEMORY, "FER_APPS": "hr", "FER_APP__ENCRYPT_KEY": "k"})["FER_APP__ENCRYPT_KEY"]
    assert "short form" in fault.problem
    assert "FER_APP__HR__ENCRYPT_KEY" in fault.suggestion
    mixed = faults({**MEMORY, "FER_APPS": "hr", "FER_APP__ENCRYPT_KEY_FILE": "/x"})
    assert "FER_APP__HR__ENCRYPT_KEY_FILE" in mixed["FER_APP__ENCRYPT_KEY_FILE"].suggestion


def test_app_that_is_not_named() -> None:
    fault = faults({**MEMORY, "FER_APP__HR__ENCRYPT_KEY": "k"})["FER_APP__HR__ENCRYPT_KEY"]
    assert "FER_APPS does not name" in fault.problem
    assert fault.suggestion == "add hr to FER_APPS"


def test_sinks_get_their_own_types_and_nested_sections() -> None:
    settings = load(
        {
            "FER_SINKS": "iam,copy",
            "FER_SINK__IAM__TYPE": "http",
            "FER_SINK__IAM__URL": "https://iam.example/hooks",
            "FER_SINK__IAM__RETRY__MAX_ATTEMPTS": "12",
            "FER_SINK__IAM__RETRY__MAX_AGE_SECONDS": "2h",
            "FER_SINK__IAM__EVENTS": "contact.user.*,!contact.user.updated_v3",
            "FER_SINK__COPY__TYPE": "memory",
        }
    )
    iam = settings.sinks["iam"]
    assert isinstance(iam, HttpSettings)
    assert (iam.retry.max_attempts, iam.retry.max_age_seconds) == (12, 7200.0)
    assert iam.events == ["contact.user.*", "!contact.user.updated_v3"]
    assert settings.sinks["copy"].type == "memory"


def test_sink_that_is_not_named_is_a_fault_with_the_nearest_name() -> None:
    found = faults(
        {**MEMORY, "FER_SINKS": "archive", "FER_SINK__ARCHIVE__TYPE": "memory", "FER_SINK__ARHIVE__EVENTS": "*"}
    )
    assert "did you mean FER_SINK__ARCHIVE__EVENTS?" in found["FER_SINK__ARHIVE__EVENTS"].suggestion
    assert "does not name" in found["FER_SINK__ARHIVE__EVENTS"].problem


def test_sink_sections_without_any_fer_sinks() -> None:
    found = faults({"FER_SINK__BUS__TYPE": "memory"})
    assert found["FER_SINK__BUS__TYPE"].suggestion == "add bus to FER_SINKS"


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("FER_LISTN", "FER_LISTEN"),
        ("FER_listen", "FER_LISTEN"),
        ("FER_JOURNAL_MAX_BYTES", "FER_JOURNAL__MAX_BYTES"),
        ("FER_JOURNAL__MAXBYTES", "FER_JOURNAL__MAX_BYTES"),
        ("FER_APP__ENCRPYT_KEY_FILE", "FER_APP__ENCRYPT_KEY_FILE"),
        ("FER_SINK__M__CAPACTY", "FER_SINK__M__CAPACITY"),
        ("FER_SINK__M__RETRY__MAX_ATEMPTS", "FER_SINK__M__RETRY__MAX_ATTEMPTS"),
        ("FER_SINK", "FER_SINKS"),
    ],
)
def test_unknown_name_gets_the_nearest_known_one(variable: str, nearest: str) -> None:
    assert faults({**MEMORY, variable: "1"})[variable].suggestion == f"did you mean {nearest}?"


def test_unknown_name_is_a_fault_even_when_empty() -> None:
    assert "FER_LISTN" in faults({**MEMORY, "FER_LISTN": ""})


def test_variables_that_kubernetes_injects_are_explained() -> None:
    found = faults({**MEMORY, "FER_SERVICE_HOST": "10.0.0.1", "FER_PORT_8080_TCP": "tcp://10.0.0.1:8080"})
    assert all("enableServiceLinks" in fault.suggestion for fault in found.values())
    assert len(found) == 2


@pytest.mark.parametrize("variable", ["FER_SINKS", "FER_APPS"])
@pytest.mark.parametrize("name", ["Bus", "a__b", "_a", "a_", "a-b", "ä", "a b", "a.b"])
def test_names_that_are_not_allowed(variable: str, name: str) -> None:
    assert repr(name) in faults({variable: name})[variable].problem


def test_names_given_twice_or_not_at_all() -> None:
    assert "more than once" in faults({**MEMORY, "FER_SINKS": "m,m"})["FER_SINKS"].problem
    assert "names nothing" in faults({"FER_SINKS": " , "})["FER_SINKS"].problem


def test_unknown_type_of_sink() -> None:
    fault = faults({"FER_SINKS": "a", "FER_SINK__A__TYPE": "htpp", "FER_SINK__A__URL": "x"})
    assert list(fault) == ["FER_SINK__A__TYPE"]
    assert fault["FER_SINK__A__TYPE"].suggestion == "did you mean http?"


def test_missing_type_of_sink() -> None:
    fault = faults({"FER_SINKS": "a", "FER_SINK__A__URL": "x"})["FER_SINK__A__TYPE"]
    assert "not set" in fault.problem
    assert "kafka" in fault.suggestion


def test_plug_in_that_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "pigeon", "import nowhere_to_be_found")
    fault = faults({"FER_SINKS": "a", "FER_SINK__A__TYPE": "pigeon", "FER_SINK__A__LOFT": "x"})
    assert list(fault) == ["FER_SINK__A__TYPE"]
    assert "pigeon" in fault["FER_SINK__A__TYPE"].problem
    assert "nowhere_to_be_found" in fault["FER_SINK__A__TYPE"].problem


def test_plug_in_that_is_no_sink_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "stone", "SINK = 1")
    assert "SinkType" in faults({"FER_SINKS": "a", "FER_SINK__A__TYPE": "stone"})["FER_SINK__A__TYPE"].problem


def test_plug_in_whose_settings_class_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
from pydantic import field_validator

class Moody(SinkSettings):
    word: str = ""

    @field_validator("word")
    @classmethod
    def refuse(cls, value):
        raise ZeroDivisionError(value)

SINK = SinkType(Moody, None, None)
"""
    install(tmp_path, monkeypatch, "moody", source)
    found = faults({"FER_SINKS": "a", "FER_SINK__A__TYPE": "moody", "FER_SINK__A__WORD": "s3cr3t"})
    assert "ZeroDivisionError" in found["FER_SINK__A__TYPE"].problem
    assert "s3cr3t" not in str(found)


def test_unknown_type_suggests_installed_plug_ins_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "pigeon", "SINK = 1")
    assert "pigeon" in faults({"FER_SINKS": "a", "FER_SINK__A__TYPE": "pigon"})["FER_SINK__A__TYPE"].suggestion


def test_required_setting_of_a_sink_that_is_missing() -> None:
    fault = faults({"FER_SINKS": "a", "FER_SINK__A__TYPE": "http"})["FER_SINK__A__URL"]
    assert "not set" in fault.problem


def test_all_faults_at_once() -> None:
    found = faults(
        {
            "FER_LISTN": "x",
            "FER_LOG__LEVEL": "infos",
            "FER_INGRESS__MAX_DEPTH": "deep",
            "FER_INGRESS__BUDGET_SECONDS": "5s",
            "FER_TLS__KEY_FILE": "/nowhere/key.pem",
            "FER_APPS": "hr",
            "FER_APP__HR__ENCRYPT_KEY_FILE": "/nowhere/key",
            "FER_SINKS": "a,b",
            "FER_SINK__A__TYPE": "http",
            "FER_SINK__A__RETRY__MAX_ATTEMPTS": "0",
            "FER_SINK__B__TYPE": "kafak",
        }
    )
    assert set(found) == {
        "FER_LISTN",
        "FER_LOG__LEVEL",
        "FER_INGRESS__MAX_DEPTH",
        "FER_INGRESS__BUDGET_SECONDS",
        "FER_TLS__KEY_FILE",
        "FER_APP__HR__ENCRYPT_KEY_FILE",
        "FER_SINK__A__URL",
        "FER_SINK__A__RETRY__MAX_ATTEMPTS",
        "FER_SINK__B__TYPE",
    }


def test_value_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("new\nold\n")
    (tmp_path / "level").write_text("debug\r\n")
    settings = load(
        {
            **MEMORY,
            "FER_APP__ENCRYPT_KEY_FILE": str(tmp_path / "keys"),
            "FER_LOG__LEVEL_FILE": str(tmp_path / "level"),
        }
    )
    assert revealed(settings.apps[""].encrypt_key) == ["new", "old"]
    assert settings.log.level == "debug"


def test_names_and_types_may_come_from_files_too(tmp_path: Path) -> None:
    (tmp_path / "sinks").write_text("a\nb\n")
    (tmp_path / "type").write_text("memory\n")
    kind = str(tmp_path / "type")
    settings = load(
        {"FER_SINKS_FILE": str(tmp_path / "sinks"), "FER_SINK__A__TYPE_FILE": kind, "FER_SINK__B__TYPE_FILE": kind}
    )
    assert list(settings.sinks) == ["a", "b"]


def test_fault_in_a_value_from_a_file_names_the_variable_that_was_set(tmp_path: Path) -> None:
    (tmp_path / "level").write_text("loud")
    assert "one of" in faults({**MEMORY, "FER_LOG__LEVEL_FILE": str(tmp_path / "level")})["FER_LOG__LEVEL_FILE"].problem


def test_file_that_is_not_there_is_one_fault_with_variable_and_path() -> None:
    found = faults({**MEMORY, "FER_LISTEN": ":8080", "FER_APP__ENCRYPT_KEY_FILE": "/nowhere/key"})
    assert list(found) == ["FER_APP__ENCRYPT_KEY_FILE"]
    assert "no file /nowhere/key" in found["FER_APP__ENCRYPT_KEY_FILE"].problem
    found = faults({**MEMORY, "FER_LISTEN": ":8080", "FER_APP__VERIFICATION_TOKEN_FILE": "/nowhere/token"})
    assert list(found) == ["FER_APP__VERIFICATION_TOKEN_FILE"]


@pytest.mark.parametrize("kind", ["SINK", "APP"])
def test_names_that_cannot_be_read_are_the_only_fault(kind: str) -> None:
    found = faults({"FER_LISTEN": ":8080", f"FER_{kind}S_FILE": "/nowhere", f"FER_{kind}__A__TYPE": "x", **KEYS[kind]})
    assert list(found) == [f"FER_{kind}S_FILE"]


def test_value_and_file_together() -> None:
    fault = faults({**MEMORY, "FER_LISTEN": "127.0.0.1:1", "FER_LISTEN_FILE": "/x"})["FER_LISTEN"]
    assert "FER_LISTEN_FILE" in fault.problem


def test_empty_counts_as_not_set(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k")
    settings = load(
        {
            "FER_SINKS": "",
            "FER_LISTEN": " ",
            "FER_JOURNAL__MAX_BYTES": "",
            "FER_APP__ENCRYPT_KEY": "",
            "FER_APP__ENCRYPT_KEY_FILE": str(tmp_path / "key"),
            "FER_APP__VERIFICATION_TOKEN_FILE": "",
        }
    )
    assert list(settings.sinks) == ["files"]
    assert settings.listen == "127.0.0.1:8080"
    assert revealed(settings.apps[""].encrypt_key) == ["k"]


def test_paths_of_certificates_are_paths_and_must_be_there(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    found = faults({**MEMORY, "FER_TLS__CERT_FILE": str(cert), "FER_TLS__KEY_FILE": str(key)})
    assert set(found) == {"FER_TLS__CERT_FILE", "FER_TLS__KEY_FILE"}
    cert.write_bytes(b"\xff\x00")
    key.write_bytes(b"")
    settings = load({**MEMORY, "FER_TLS__CERT_FILE": str(cert), "FER_TLS__KEY_FILE": str(key)})
    assert settings.tls.cert_file == cert
    assert "FER_TLS__CERT_FILE_FILE" in faults({**MEMORY, "FER_TLS__CERT_FILE_FILE": str(cert)})


@pytest.mark.parametrize("one", ["CERT", "KEY"])
def test_certificate_without_key(tmp_path: Path, one: str) -> None:
    (tmp_path / "pem").write_text("x")
    assert (
        "both or neither"
        in faults({**MEMORY, f"FER_TLS__{one}_FILE": str(tmp_path / "pem")})["FER_TLS__KEY_FILE"].problem
    )


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:80", ":80", "[::]:80", "10.0.0.5:80", "router.example:80", "*:80", "[::ffff:0:0]:80"]
)
def test_beyond_loopback_needs_a_key_or_a_token_for_each_app(listen: str) -> None:
    base = {**MEMORY, "FER_LISTEN": listen}
    assert "FER_APP__ENCRYPT_KEY" in faults(base)
    assert "FER_APP__IT__ENCRYPT_KEY" in faults({**base, "FER_APPS": "hr,it", "FER_APP__HR__ENCRYPT_KEY": "k"})
    assert "FER_APP__ENCRYPT_KEY" in faults({**base, "FER_APP__ENCRYPT_KEY": " \n "})
    assert load({**base, "FER_APP__VERIFICATION_TOKEN": "t"}).apps[""].verification_token


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.9.9.9:1", "[::1]:80", "localhost:80"])
def test_loopback_needs_no_key(listen: str) -> None:
    assert load({**MEMORY, "FER_LISTEN": listen}).listen == listen


def test_two_ports_cannot_be_one() -> None:
    assert "FER_LISTEN" in faults({**MEMORY, "FER_ADMIN__LISTEN": "127.0.0.1:8080"})["FER_ADMIN__LISTEN"].problem
    taken = {**MEMORY, "FER_APP__ENCRYPT_KEY": "k", "FER_LISTEN": ":9464"}
    assert "FER_ADMIN__LISTEN" in faults(taken)
    free = {**MEMORY, "FER_LISTEN": "127.0.0.1:0", "FER_ADMIN__LISTEN": "127.0.0.1:0"}
    assert load(free).admin.listen == "127.0.0.1:0"


def test_admin_port_can_be_off() -> None:
    assert load({**MEMORY, "FER_ADMIN__LISTEN": "off"}).admin.listen == ""


def test_budget_beyond_feishus_patience() -> None:
    assert "3 s" in faults({**MEMORY, "FER_INGRESS__BUDGET_SECONDS": "3.1"})["FER_INGRESS__BUDGET_SECONDS"].problem


def test_drain_longer_than_the_grace_period() -> None:
    fault = faults({**MEMORY, "FER_DRAIN__LANES_SECONDS": "25"})["FER_DRAIN__GRACE_SECONDS"]
    assert "30 s" in fault.problem
    longer = {**MEMORY, "FER_DRAIN__LANES_SECONDS": "25", "FER_DRAIN__GRACE_SECONDS": "1m"}
    assert load(longer).drain.lanes_seconds == 25.0


def test_what_one_unread_file_leaves_open_is_no_fault_of_its_own() -> None:
    """A user name whose password's file is missing has a password all the same."""
    environ = {
        "FER_SINKS": "bus",
        "FER_SINK__BUS__TYPE": "kafka",
        "FER_SINK__BUS__BOOTSTRAP_SERVERS": "k:9092",
        "FER_SINK__BUS__SASL_USERNAME": "router",
        "FER_SINK__BUS__SASL_PASSWORD_FILE": "/nowhere/password",
    }
    assert set(faults(environ)) == {"FER_SINK__BUS__SASL_PASSWORD_FILE"}
