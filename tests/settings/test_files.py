import os
from pathlib import Path

import pytest

from router.settings.files import MAX_BYTES, MAX_NAMED_BYTES, ValueFileError, fingerprint, read_value


@pytest.mark.parametrize(
    ("content", "value"),
    [(b"a", "a"), (b"a\n", "a"), (b"a\r\n", "a"), (b"a\n\n", "a\n"), (b" a ", " a "), ("ä\nb\n".encode(), "ä\nb")],
)
def test_one_trailing_line_break_does_not_count(tmp_path: Path, content: bytes, value: str) -> None:
    (tmp_path / "f").write_bytes(content)
    assert read_value(str(tmp_path / "f")) == value


def test_symbolic_links_are_followed_as_kubernetes_mounts_need(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("a")
    (tmp_path / "link").symlink_to("f")
    assert read_value(str(tmp_path / "link")) == "a"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b" \n", "empty"), (b"\xff", "UTF-8"), (b"x" * (MAX_BYTES + 1), "too large")],
)
def test_content_that_cannot_be_a_value(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "f"
    path.write_bytes(content)
    with pytest.raises(ValueFileError, match=f"{path}.*{reason}"):
        read_value(str(path))


def test_largest_value_is_taken(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * MAX_BYTES)
    assert len(read_value(str(tmp_path / "f"))) == MAX_BYTES


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for name, reason in {
        "none": "no file",
        "": "regular",
        "pipe": "regular",
        "loop": "loop",
        "\0": "no file",
        "x" * 300: "long",
    }.items():
        with pytest.raises(ValueFileError, match=f"(?i){reason}"):
            read_value(str(tmp_path / name))
        with pytest.raises(ValueFileError):
            fingerprint(str(tmp_path / name))


def test_a_fingerprint_tells_any_contents_apart(tmp_path: Path) -> None:
    path = tmp_path / "f"
    seen = set()
    for content in (b"", b"\n", b"\xff" * 10, b"\xff" * (2 << 20)):
        path.write_bytes(content)
        seen.add(fingerprint(str(path)))
        assert fingerprint(str(path)) in seen
    assert len(seen) == 4


def test_what_is_watched_has_an_end(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with path.open("wb") as file:
        file.truncate(MAX_NAMED_BYTES)
    fingerprint(str(path))
    with path.open("ab") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueFileError, match="too large"):
        fingerprint(str(path))
