from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from router.settings.model import AppSettings, Settings
from router.settings.names import app_prefix, join, leaves, sink_prefix
from sinks.settings import Section


class Inner(Section):
    depth: int = 1


class Outer(Section):
    plain: str = ""
    secret: Annotated[SecretStr | None, Field(description="x")] = None
    many: list[SecretStr] = Field(default=[])
    inner: Inner = Inner()
    maybe: Inner | None = None
    ca_file: Path | None = None


def test_names_follow_from_fields() -> None:
    assert [leaf.variable for leaf in leaves(Outer, "FER_SINK__A")] == [
        "FER_SINK__A__PLAIN",
        "FER_SINK__A__SECRET",
        "FER_SINK__A__MANY",
        "FER_SINK__A__INNER__DEPTH",
        "FER_SINK__A__MAYBE__DEPTH",
        "FER_SINK__A__CA_FILE",
    ]


def test_secrets_are_recognised_by_their_type() -> None:
    assert [leaf.path[-1] for leaf in leaves(Outer, "FER") if leaf.secret] == ["secret", "many"]
    assert {leaf.path[-1] for leaf in leaves(AppSettings, "FER_APP") if leaf.secret} == {
        "app_secret",
        "encrypt_key",
        "proxy",
        "verification_token",
    }


def test_a_path_has_no_second_form() -> None:
    (path,) = [leaf for leaf in leaves(Outer, "FER") if leaf.path == ("ca_file",)]
    assert (path.from_file, path.names_file) == ("", True)


def test_general_names_need_one_underscore_and_sections_two() -> None:
    found = {leaf.variable for leaf in leaves(Settings, "FER", frozenset({"apps", "sinks"}))}
    assert {"FER_LISTEN", "FER_DATA_DIR", "FER_JOURNAL__MAX_BYTES"} <= found
    assert (join("FER", "log", "level"), app_prefix(""), app_prefix("hr")) == (
        "FER_LOG__LEVEL",
        "FER_APP",
        "FER_APP__HR",
    )
    assert sink_prefix("my_bus") == "FER_SINK__MY_BUS"
