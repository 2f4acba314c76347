"""The docs have every code that an attempt can fail with, and the bounds of what is acknowledged."""

import inspect
import re
from pathlib import Path

from router.feishu.discovery import _MEANINGS
from router.feishu.frames import MAX_HEADERS
from router.feishu.parts import Assembly

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "long-connection.md"
NUMBERED = "http_", "handshake_"
"""Codes with a status behind; the table has one of each, or more."""


def codes_in_the_code() -> set[str]:
    """Those written where a refusal is made, or its code chosen; of an f-string, what stands before the number."""
    folder = ROOT / "router" / "ingress" / "long_connection"
    sources = [ROOT / "router" / "feishu" / "discovery.py", *folder.glob("*.py")]
    found = {str(code) for code in _MEANINGS}
    for file in sources:
        found |= set(re.findall(r"\bRefusal\(\s*f?\"([a-z_0-9]+)", file.read_text()))
    return found | set(re.findall(r"return \"(\w+)\", f?\"", (folder / "failures.py").read_text()))


def codes_in_the_docs() -> set[str]:
    section = PAGE.read_text().partition("\n## Codes\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
    return set(re.findall(r"`(\w+)…?`", " ".join(cells)))


def kind(code: str) -> str:
    return next((prefix for prefix in NUMBERED if code.startswith(prefix)), code)


def test_the_docs_have_every_code_and_no_other() -> None:
    found = {kind(code) for code in codes_in_the_code()}
    assert {"514", "http_", "handshake_", "not_wss", "tls_ca_file", "timeout", "protocol"} <= found
    assert {kind(code) for code in codes_in_the_docs()} == found


def test_the_docs_have_the_bounds_of_what_is_acknowledged() -> None:
    most = inspect.signature(Assembly).parameters["max_parts"].default
    assert f"more than {MAX_HEADERS} headers, messages in more than {most} parts | nothing" in PAGE.read_text()
