from collections.abc import Callable
from pathlib import Path

import pytest

from router.journal.contract import Journal
from tests.contracts.journal import JournalContract
from tests.journal.books import make_journal


class TestSqlite(JournalContract):
    @pytest.fixture
    def build(self, tmp_path: Path) -> Callable[[], Journal]:
        return lambda: make_journal(tmp_path)
