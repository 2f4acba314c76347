"""A bounded memory of events made durable lately: answers most copies without the disk, whatever their creation time."""

from collections.abc import Sequence

GENERATION = 16_384


class Recent:
    """Key → created_ms. Two generations, so that forgetting costs nothing per event; between one and two are remembered."""

    def __init__(self, generation: int = GENERATION) -> None:
        self._size = generation
        self._new: dict[bytes, int] = {}
        self._old: dict[bytes, int] = {}

    def add(self, keys: Sequence[bytes], created_ms: Sequence[int]) -> None:
        """Remember what a commit stored."""
        self._new.update(zip(keys, created_ms, strict=True))
        if len(self._new) >= self._size:
            self._old, self._new = self._new, {}

    def get(self, key: bytes) -> int | None:
        """The creation time it was stored with, None when not remembered."""
        created = self._new.get(key)
        return self._old.get(key) if created is None else created
