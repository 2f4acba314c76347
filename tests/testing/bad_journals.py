"""Journals that break the contract, one way each, and one that keeps it. Run in a process of its own."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from router.clock import SystemClock
from router.journal.contract import Journal, Record
from router.journal.sqlite import SqliteJournal
from router.settings.model import JournalSettings
from router.testing.operating import OperatingContract
from tests.journal.books import SMALL, telemetry


class Loses(SqliteJournal):
    async def read(self, *args: Any) -> Sequence[Record]:
        return [record for record in await super().read(*args) if record.position != 2]


class Shuffles(SqliteJournal):
    async def read(self, *args: Any) -> Sequence[Record]:
        return list(reversed(await super().read(*args)))


class SettlesNothing(SqliteJournal):
    def settle(self, *_: Any) -> asyncio.Future[None]:
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


class ForgetsNotes(SqliteJournal):
    async def note(self, *_: Any) -> None:
        return


class RepeatsNumbers(SqliteJournal):
    given = 0

    async def number(self, above: int = 0) -> int:
        self.given = max(self.given, above) + 1
        return self.given


class TestGood(OperatingContract):
    kind: ClassVar[type[SqliteJournal]] = SqliteJournal

    @pytest.fixture
    def build(self, tmp_path: Path) -> Callable[[], Journal]:
        return lambda: self.kind(tmp_path / "journal.db", JournalSettings(), telemetry(), SystemClock(), SMALL)


class TestLoses(TestGood):
    kind = Loses


class TestShuffles(TestGood):
    kind = Shuffles


class TestSettlesNothing(TestGood):
    kind = SettlesNothing


class TestForgetsNotes(TestGood):
    kind = ForgetsNotes


class TestRepeatsNumbers(TestGood):
    kind = RepeatsNumbers
