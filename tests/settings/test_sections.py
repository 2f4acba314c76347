from pathlib import Path

import pytest

from router.settings import SettingsError, read_sections
from router.settings.files import fingerprint


def test_the_good_sections_stand_beside_the_faulty_ones(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k")
    found = read_sections(
        {
            "FER_APPS": "hr,it",
            "FER_APP__HR__ENCRYPT_KEY_FILE": str(tmp_path / "key"),
            "FER_APP__IT__ENCRYPT_KEY_FILE": str(tmp_path / "none"),
            "FER_SINKS": "a,b",
            "FER_SINK__A__TYPE": "memory",
            "FER_SINK__B__TYPE": "http",
        }
    )
    assert found.good("FER_APP__HR", found.apps["hr"])
    assert found.apps["it"] is not None
    assert not found.good("FER_APP__IT", found.apps["it"]), "its key could not be read; to have none is something else"
    assert found.good("FER_SINK__A", found.sinks["a"])
    assert not found.good("FER_SINK__B", found.sinks["b"])
    assert [fault.variable for fault in found.faults] == ["FER_APP__IT__ENCRYPT_KEY_FILE", "FER_SINK__B__URL"]
    with pytest.raises(SettingsError) as caught:
        found.settings()
    assert caught.value.faults == found.faults


def test_the_files_are_those_of_values_and_those_that_settings_name_wherever_they_are(tmp_path: Path) -> None:
    cert, key, token = (tmp_path / name for name in ("cert", "key", "token"))
    cert.write_bytes(b"\xff")
    token.write_text("t")
    found = read_sections(
        {"FER_TLS__CERT_FILE": str(cert), "FER_TLS__KEY_FILE": str(key), "FER_ADMIN__TOKEN_FILE": str(token)}
    )
    assert found.files == {str(cert), str(key), str(token)}
    assert found.contents == {"FER_TLS__CERT_FILE": fingerprint(str(cert))}
    assert fingerprint(str(cert)) not in repr(found)
    assert read_sections({}).files == set()


def test_nothing_is_said_of_what_could_not_be_read() -> None:
    """A line of an env file that can't be understood hides no other fault and makes up none."""
    environ = {"FER_SINKS": "a", "FER_SINK__A__TYPE": "http", "FER_LOG__LEVEL": "loud"}
    every = {"FER_LOG__LEVEL", "FER_SINK__A__URL"}
    assert {fault.variable for fault in read_sections(environ).faults} == every
    for name in ("FER_SINK__A__URL", "FER_SINK__A__URL_FILE"):
        assert {fault.variable for fault in read_sections(environ, unread=[name]).faults} == {"FER_LOG__LEVEL"}
    names = read_sections({"FER_SINK__A__TYPE": "http", "FER_LOG__LEVEL": "loud"}, unread=["FER_SINKS"])
    assert {fault.variable for fault in names.faults} == {"FER_LOG__LEVEL"}
