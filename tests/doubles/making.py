"""Things that take long to make, made once and kept under build/: fetched jars, formatted storage, compiled programs."""

import contextlib
import fcntl
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


def made_once(path: Path, make: Callable[[Path], None]) -> Path:
    """The path, made by `make` if it isn't there: under a lock, whole or not at all."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.with_name(f".{path.name}.lock")):
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=".making-") as workshop:
                made = Path(workshop) / path.name
                make(made)
                made.rename(path)
    return path


def key_of(*parts: str) -> str:
    """A short name for what is made of these, another one when any of them changes."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
