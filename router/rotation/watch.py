"""Have files changed, and are they whole?"""

from collections.abc import Iterable, Mapping

from router.settings.files import ValueFileError, fingerprint

Look = Mapping[str, str]
"""By path: a hash of the content, or why it can't be read. It holds no content."""


def look_at(paths: Iterable[str]) -> Look:
    """Read the files. They are small; whatever times, sizes and inodes say, the content is what counts. Blocks on disk."""
    return {path: _state(path) for path in paths}


def _state(path: str) -> str:
    try:
        return fingerprint(path)
    except ValueFileError as error:
        return str(error)


class Watch:
    """Tells a change that is complete from one under way: only what two looks in a row agree on is complete."""

    def __init__(self) -> None:
        self._before: Look | None = None
        self._done: Look | None = None

    def complete(self, look: Look) -> bool:
        """Whether this look found the same as the one before."""
        same = look == self._before
        self._before = look
        return same

    def is_new(self, look: Look) -> bool:
        """Whether `done` was told of another look last, or of none."""
        return look != self._done

    def done(self, look: Look | None) -> None:
        """This was dealt with. None: what is there must be dealt with again."""
        self._done = look
