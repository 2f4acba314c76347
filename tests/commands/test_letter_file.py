"""A file is whole, or not there."""

from pathlib import Path

import click
import pytest

from router.commands.letter_file import output


def test_the_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with output(str(path), force=False) as file:
        file.write(b"one\n")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == b"one\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("x"), click.ClickException("x")])
def test_what_breaks_off_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")

    def write() -> None:
        with output(str(path), force=True) as file:
            file.write(b"half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_replaced_without_force_not_even_what_came_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "out"

    def write() -> None:
        with output(str(path), force=False):
            path.write_bytes(b"another's")

    with pytest.raises(click.ClickException, match="is there already"):
        write()
    with pytest.raises(click.ClickException, match="is there already"):
        write()
    assert path.read_bytes() == b"another's"
    with output(str(path), force=True) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    path = tmp_path / "out"
    with output(str(path), force=False) as file:
        file.write(b"x")
    assert path.read_bytes() == b"x"


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    for target, error in ((tmp_path, click.UsageError), (tmp_path / "no" / "out", click.ClickException)):
        with pytest.raises(error), output(str(target), force=False):
            pass
