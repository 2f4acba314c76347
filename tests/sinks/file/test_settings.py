import pytest
from pydantic import ValidationError

from sinks.file.settings import FileSettings


def settings(**values: object) -> FileSettings:
    return FileSettings.model_validate({"type": "file", "path": "/d/{date}.jsonl", **values})


def test_values_are_written_as_in_the_environment() -> None:
    made = settings(max_bytes="64MiB", max_age_seconds="1h", compression="zstd", mode="0644", max_open_files="8")
    assert (made.max_bytes, made.max_age_seconds, made.max_open_files) == (64 << 20, 3600.0, 8)
    assert (made.file_mode, made.folder_mode) == (0o644, 0o755)


@pytest.mark.parametrize(("mode", "folder"), [("0640", 0o750), ("600", 0o700), ("0660", 0o770), ("0644", 0o755)])
def test_folders_may_be_entered_by_whoever_may_read(mode: str, folder: int) -> None:
    assert settings(mode=mode).folder_mode == folder


@pytest.mark.parametrize(
    "values",
    [{"mode": "0440"}, {"mode": "0o640"}, {"mode": "01777"}, {"compression": "lz4"}, {"max_open_files": 0}],
)
def test_bad_values_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        settings(**values)


def test_an_unknown_placeholder_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValidationError, match=r"unknown placeholder \{type\}; known are date, hour, app"):
        settings(path="/d/{type}.jsonl")
