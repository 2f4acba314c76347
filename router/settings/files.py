"""Values that come from files: Kubernetes and Docker mount secrets that way."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

MAX_BYTES = 1 << 20


class ValueFileError(Exception):
    """A file that should hold a setting's value can't be used. The text is for people and never holds the content."""


def read_value(path: str) -> str:
    """The file's text without one trailing newline. Raises ValueFileError."""
    with _opened(path) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueFileError(f"the file {path} is larger than {MAX_BYTES // 1024} KiB, too large for a setting")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueFileError(f"the file {path} is not UTF-8 text") from None
    if not text.strip():
        raise ValueFileError(f"the file {path} is empty")
    return text.removesuffix("\n").removesuffix("\r")


def fingerprint(path: str) -> str:
    """A hash of the file's content, whatever it is; equal only for the same content. Raises ValueFileError."""
    with _opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _opened(name: str) -> Iterator[BufferedReader]:
    path = Path(name)
    try:
        if not path.exists():
            raise ValueFileError(f"there is no file {path}")
        if not path.is_file():  # opening a pipe would wait for its writer, perhaps for ever
            raise ValueFileError(f"{path} is not a regular file")
        with path.open("rb") as file:
            yield file
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise ValueFileError(f"the file {path} can't be read: {reason}") from error
