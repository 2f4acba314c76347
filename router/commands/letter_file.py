"""A file that is whole or not there: written under another name, renamed when complete."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import click


@contextmanager
def output(target: str, *, force: bool) -> Iterator[BinaryIO]:
    """A binary stream to that file (private to this user), or to standard output for `-`.

    When the block ends well the file is there, synced; otherwise nothing is. Raises click.ClickException.
    """
    if target == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(target)
    _refuse(path, force=force)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with _created(draft) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _publish(draft, path, force=force)
    except OSError as error:
        raise click.ClickException(f"{path} can't be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _refuse(path: Path, *, force: bool) -> None:
    if path.is_dir():
        raise click.UsageError(f"{path} is a directory; name a file in it")
    if not force and path.exists():
        raise click.ClickException(f"{path} is there already: choose another name, or say --force")


def _created(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def _publish(draft: Path, path: Path, *, force: bool) -> None:
    """Give the complete file its name; without force it replaces none, not even one that came meanwhile."""
    if force:
        draft.replace(path)
        return
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        _refuse(path, force=False)
        raise
    except OSError:  # a file system without hard links
        _refuse(path, force=False)
        draft.rename(path)
