"""What is worth telling while it happens, but never a flood of it."""

from collections.abc import Callable

PER_SECOND = 5


class Notices:
    """Passes on some lines a second; counts the others and says so."""

    def __init__(self, show: Callable[[str], None], now: Callable[[], float]) -> None:
        self._show = show
        self._now = now
        self._since = 0.0
        self._shown = 0
        self._kept_back = 0

    def __call__(self, line: str) -> None:
        """One line."""
        now = self._now()
        if now - self._since >= 1:
            self._since, self._shown = now, 0
            if self._kept_back:
                self._show(f"… {self._kept_back:,} more of the kind")
                self._kept_back = 0
        if self._shown < PER_SECOND:
            self._shown += 1
            self._show(line)
        else:
            self._kept_back += 1
