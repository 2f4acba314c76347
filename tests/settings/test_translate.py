"""Every kind of error that a settings class can give, as people read it."""

from enum import Enum
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pytest
from pydantic import (
    DirectoryPath,
    Field,
    FilePath,
    HttpUrl,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from router.settings.environment import Environment
from router.settings.faults import Fault
from router.settings.names import leaves
from router.settings.translate import report
from sinks.settings import ByteSize, Seconds, Section, StrList


class Colour(Enum):
    RED = "red"


class Inner(Section):
    depth: int = Field(default=1, ge=1)


class Everything(Section):
    needed: str
    whole: int = 0
    number: float = 0.0
    switch: bool = False
    at_least: int = Field(default=9, ge=5)
    below: Annotated[float, Field(lt=10)] = 1.5
    choice: Literal["alpha", "beta"] = "alpha"
    colour: Colour = Colour.RED
    url: HttpUrl | None = None
    pattern: str = Field(default="x", pattern="^x+$")
    short: str = Field(default="abc", min_length=3)
    servers: Annotated[StrList, Field(min_length=1)] = Field(default=["a"])
    size: ByteSize = 1
    wait: Seconds = 1.0
    address: IPv4Address | None = None
    certificate: FilePath | None = None
    folder: DirectoryPath | None = None
    secret: SecretStr | None = None
    password_url: str = ""
    inner: Inner = Inner()

    @field_validator("secret", "password_url")
    @classmethod
    def _quotes_what_it_dislikes(cls, value: Any) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value or ""
        if "bad" in text:
            raise ValueError(f"I dislike {text.split()[0]}")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.secret and self.secret.get_secret_value().startswith("pair"):
            raise ValueError(f"SECRET {self.secret.get_secret_value()} needs another")
        if self.whole == 7:
            raise ValueError("WHOLE and NUMBER exclude each other")
        return self


def faults(**values: str) -> list[Fault]:
    environ = {f"FER_SINK__A__{name.upper()}": text for name, text in {"needed": "x", **values}.items()}
    known = list(leaves(Everything, "FER_SINK__A"))
    env = Environment(environ, Path.read_text)  # type: ignore[arg-type] # never called here
    with pytest.raises(ValidationError) as caught:
        Everything.model_validate(env.tree(known))
    report(caught.value, Everything, "FER_SINK__A", known, env)
    return env.faults


@pytest.mark.parametrize("secret", ["a", "and", "clude", "x\ny"])
def test_a_short_secret_or_one_within_a_word_hides_no_message(secret: str) -> None:
    assert [fault.problem for fault in faults(whole="7", secret=secret)] == ["WHOLE and NUMBER exclude each other"]
    assert "exclude" not in faults(whole="7", secret="exclude")[0].problem


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("needed", "", "is not set, and must be"),
        ("whole", "1.5", "must be a whole number"),
        ("whole", "x", "must be a whole number"),
        ("number", "x", "must be a number"),
        ("switch", "maybe", "must be true or false"),
        ("at_least", "4", "must be at least 5"),
        ("below", "10", "must be less than 10"),
        ("choice", "gamma", "must be one of alpha or beta"),
        ("colour", "blue", "must be one of red"),
        ("url", "nothing", "must be a URL such as https://host.example/path"),
        ("url", "ftp://a/", "must begin with http or https and ://"),
        ("pattern", "y", "is not of the form that it must have: ^x+$"),
        ("short", "a", "is shorter than 3 characters"),
        ("servers", ",", "must hold at least 1"),
        ("size", "big", "expected a size such as 1048576, 64MiB or 10GB"),
        ("wait", "soon", "expected a duration such as 90, 1.5s, 500ms, 10m or 7d"),
        ("address", "x", "must be a valid IPv4 address"),
        ("certificate", "/nowhere", "names a file that does not exist"),
        ("folder", "/nowhere", "names a directory that does not exist"),
        ("inner__depth", "0", "must be at least 1"),
    ],
)
def test_one_fault_in_words(name: str, text: str, problem: str) -> None:
    assert [fault[:2] for fault in faults(**{name: text})] == [(f"FER_SINK__A__{name.upper()}", problem)]


def test_nearest_choice_is_suggested() -> None:
    assert faults(choice="alfa")[0].suggestion == "did you mean alpha?"


def test_fault_of_the_whole_section() -> None:
    assert faults(whole="7") == [Fault("FER_SINK__A__*", "WHOLE and NUMBER exclude each other")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("secret", "bad-s3cr3t"),
        ("secret", "pair-s3cr3t"),
        ("password_url", "bad://u:s3cr3t@h/"),
        ("secret", "good\nbad-s3cr3t"),
    ],
)
def test_message_that_quotes_a_secret_is_replaced(name: str, text: str) -> None:
    (fault,) = faults(**{name: text})
    assert "s3cr3t" not in str(fault)
    assert "good" not in str(fault)
    assert "not shown" in fault.problem
