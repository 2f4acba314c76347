from pathlib import Path
from typing import Any

import pytest

from router.rotation.parts import Difference, difference, parts_of
from router.settings import Sections, read_sections
from router.settings.files import ValueFileError

HTTP = {"FER_SINKS": "iam", "FER_SINK__IAM__TYPE": "http"}
KAFKA = {"FER_SINKS": "bus", "FER_SINK__BUS__TYPE": "kafka", "FER_SINK__BUS__BOOTSTRAP_SERVERS": "k:1"}


def read(files: dict[str, str], environ: dict[str, str]) -> Sections:
    """Settings of which some come from files: variable → content."""

    def content(path: str) -> str:
        if not files[path]:
            raise ValueFileError("it is empty")
        return files[path]

    return read_sections(environ | {f"{name}_FILE": name for name in files}, content)


def change(prefix: str, environ: dict[str, str], old: dict[str, str], new: dict[str, str]) -> Difference:
    used, found = (parts_of(read(files, environ))[prefix] for files in (old, new))
    return difference(prefix, used, found)


def secret(difference: Difference, name: str) -> Any:
    return getattr(difference.part.section, name).get_secret_value()


@pytest.mark.parametrize(
    ("prefix", "name", "old", "new"),
    [
        ("FER_APP", "ENCRYPT_KEY", "one", "one\ntwo"),
        ("FER_APP", "VERIFICATION_TOKEN", "one", "two"),
        ("FER_ADMIN", "TOKEN", "one", "two"),
        ("FER_SINK__IAM", "URL", "https://a.example/?k=1", "https://a.example/?k=2"),
        ("FER_SINK__IAM", "HEADERS", "X-Key: one", "X-Key: two"),
        ("FER_SINK__IAM", "BEARER_TOKEN", "one", "two"),
        ("FER_SINK__IAM", "SIGNING_SECRETS", "1" * 24, "2" * 24),
        ("FER_SINK__IAM", "PROXY", "http://u:one@p:1", "http://u:two@p:1"),
    ],
)
def test_a_secret_that_changed_is_taken_up(prefix: str, name: str, old: str, new: str) -> None:
    variable = f"{prefix}__{name}"
    environ = HTTP if variable == "FER_SINK__IAM__URL" else {**HTTP, "FER_SINK__IAM__URL": "https://a.example/"}
    found = change(prefix, environ, {variable: old}, {variable: new})
    assert (found.taken, found.left) == ((f"{variable}_FILE",), ())
    assert found.part == parts_of(read({variable: new}, environ))[prefix]
    assert change(prefix, environ, {variable: new}, {variable: new}).taken == ()


def test_a_user_name_changes_with_its_password() -> None:
    """As those do that Vault lends."""
    files = {f"FER_SINK__BUS__SASL_{name}": f"{name}-1" for name in ("USERNAME", "PASSWORD")}
    found = change("FER_SINK__BUS", KAFKA, files, {name: f"{text}-2" for name, text in files.items()})
    assert set(found.taken) == {f"{name}_FILE" for name in files}
    assert not found.left


def test_another_setting_is_left_and_the_credentials_beside_it_are_taken() -> None:
    names = ("TOPIC", "SASL_USERNAME", "SASL_PASSWORD", "EVENTS", "RETRY__MAX_ATTEMPTS")
    topic, user, password, events, attempts = (f"FER_SINK__BUS__{name}" for name in names)
    old = {topic: "a", user: "u", password: "old", events: "a.*", attempts: "3"}
    new = {topic: "b", user: "u", password: "new", events: "b.*", attempts: "4"}
    found = change("FER_SINK__BUS", KAFKA, old, new)
    assert found.taken == (f"{password}_FILE",)
    assert set(found.left) == {f"{name}_FILE" for name in (topic, events, attempts)}
    used: Any = found.part.section
    assert (used.topic, used.events, used.retry.max_attempts) == ("a", ["a.*"], 3)
    assert secret(found, "sasl_password") == "new"
    again = difference("FER_SINK__BUS", found.part, parts_of(read(new, KAFKA))["FER_SINK__BUS"])
    assert (again.taken, set(again.left)) == ((), set(found.left))


def test_another_type_of_sink_is_left() -> None:
    kind = "FER_SINK__A__TYPE"
    found = change("FER_SINK__A", {"FER_SINKS": "a"}, {kind: "memory"}, {kind: "stdout"})
    assert (found.taken, found.left) == ((), (f"{kind}_FILE",))
    assert type(found.part.section).__name__ == "MemorySettings"


def test_an_app_id_and_the_router_s_own_settings_are_left() -> None:
    assert change("FER_APP", {}, {"FER_APP__APP_ID": "cli_1"}, {"FER_APP__APP_ID": "cli_2"}).left
    assert change("FER", {}, {"FER_LOG__LEVEL": "info"}, {"FER_LOG__LEVEL": "debug"}).left == ("FER_LOG__LEVEL_FILE",)


@pytest.mark.parametrize("prefix", ["FER_TLS", "FER_SINK__IAM"])
def test_a_certificate_counts_by_its_content(tmp_path: Path, prefix: str) -> None:
    lead = f"{prefix}__" if prefix == "FER_TLS" else f"{prefix}__TLS_"
    names = {f"{lead}{kind}_FILE": str(tmp_path / kind) for kind in ("CERT", "KEY")}
    environ = {**HTTP, "FER_SINK__IAM__URL": "https://a.example/", **names}
    for path in names.values():
        Path(path).write_text("old")
    used = parts_of(read_sections(environ))[prefix]
    Path(names[f"{lead}CERT_FILE"]).touch()
    assert difference(prefix, used, parts_of(read_sections(environ))[prefix]).taken == ()
    Path(names[f"{lead}CERT_FILE"]).write_text("new")
    found = difference(prefix, used, parts_of(read_sections(environ))[prefix])
    assert found.taken == (f"{lead}CERT_FILE",)
    assert difference(prefix, found.part, parts_of(read_sections(environ))[prefix]).taken == ()


def test_a_part_with_a_fault_is_none_and_the_others_are_whole() -> None:
    environ = {**HTTP, "FER_SINK__IAM__URL": "https://a.example/", "FER_APPS": "hr,it"}
    names = ["FER_APP__HR__ENCRYPT_KEY", "FER_APP__HR__VERIFICATION_TOKEN", "FER_APP__IT__ENCRYPT_KEY"]
    every = set(parts_of(read(dict.fromkeys(names, "k"), environ)))
    assert every == {"FER", "FER_TLS", "FER_WS", "FER_ADMIN", "FER_APP__HR", "FER_APP__IT", "FER_SINK__IAM"}
    broken = read({**dict.fromkeys(names, "k"), names[1]: ""}, environ)
    assert every - set(parts_of(broken)) == {"FER_APP__HR"}, "half an app's keys could be taken for all of them"
    unread = read({"FER_ADMIN__TOKEN": "", "FER_SINK__IAM__BEARER_TOKEN": "a b"}, environ)
    assert every - set(parts_of(unread)) == {"FER_ADMIN", "FER_SINK__IAM"}
