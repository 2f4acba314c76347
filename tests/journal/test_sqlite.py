from collections.abc import Callable
from pathlib import Path

import pytest

from router.journal.contract import Journal
from tests.contracts.operating import OperatingContract
from tests.doubles.journal import MemoryJournal, Shelf
from tests.journal.books import make_journal


class TestSqlite(OperatingContract):
    @pytest.fixture
    def build(self, tmp_path: Path) -> Callable[[], Journal]:
        return lambda: make_journal(tmp_path)


class TestMemory(OperatingContract):
    """The double that lanes are tested with."""

    @pytest.fixture
    def build(self) -> Callable[[], Journal]:
        shelf = Shelf()
        return lambda: MemoryJournal(shelf=shelf)
