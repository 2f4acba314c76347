"""Values that come from files: Kubernetes and Docker mount secrets that way."""

import hashlib
from pathlib import Path

MAX_BYTES = 1 << 20
MAX_NAMED_BYTES = 16 << 20
"""Of files that settings only name: all certificates that a system trusts are a quarter of a MiB."""


class ValueFileError(Exception):
    """A file that should hold a setting's value can't be used. The text is for people and never holds the content."""


def read_value(path: str) -> str:
    """The file's text without one trailing newline. Raises ValueFileError."""
    try:
        text = _read(path, MAX_BYTES).decode()
    except UnicodeDecodeError:
        raise ValueFileError(f"the file {path} is not UTF-8 text") from None
    if not text.strip():
        raise ValueFileError(f"the file {path} is empty")
    return text.removesuffix("\n").removesuffix("\r")


def fingerprint(path: str) -> str:
    """A hash of the file's content, whatever it is; equal only for the same content. Raises ValueFileError."""
    return hashlib.sha256(_read(path, MAX_NAMED_BYTES)).hexdigest()


def _read(name: str, limit: int) -> bytes:
    path = Path(name)
    try:
        if not path.exists():
            raise ValueFileError(f"there is no file {path}")
        if not path.is_file():  # opening a pipe would wait for its writer, perhaps for ever
            raise ValueFileError(f"{path} is not a regular file")
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise ValueFileError(f"the file {path} can't be read: {reason}") from error
    if len(content) > limit:
        raise ValueFileError(f"the file {path} is larger than {limit // 1024} KiB, too large for a setting")
    return content
