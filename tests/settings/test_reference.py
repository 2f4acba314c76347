from pathlib import Path

from router.settings.model import Settings
from router.settings.names import leaves
from router.settings.reference import reference
from sinks import registry

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_is_not_stale() -> None:
    assert PAGE.read_text("utf-8") == reference(), "run `make docs` and commit docs/settings.md"


def test_every_setting_is_on_the_page_with_a_description() -> None:
    lines = reference().splitlines()
    known = list(leaves(Settings, "FER", frozenset({"apps", "sinks"})))
    for name in registry.BUILT_IN:
        known += leaves(registry.find(name).settings, "FER_SINK__NAME")
    for leaf in known:
        rows = [line for line in lines if line.startswith(f"| `{leaf.variable}` |")]
        assert rows, leaf.variable
        assert not any(row.endswith("|  |") for row in rows), f"{leaf.variable} has no description"


def test_no_python_shows_through() -> None:
    page = reference()
    assert not [
        word
        for word in ("SecretStr", "PosixPath", "None", "Literal", "pydantic", "True", "False")
        if f"`{word}" in page
    ]
