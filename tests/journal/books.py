"""Journals for tests, on real disk."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from router.clock import Clock, SystemClock
from router.journal.limits import MIB, Limits
from router.journal.sqlite import SqliteJournal
from router.settings.model import JournalSettings
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger

SMALL = Limits(16 * MIB, 2 * MIB, 7 * 86_400_000, 2 * 86_400_000, disk_floor_bytes=0, ballast_bytes=0)


def telemetry(log: io.StringIO | None = None) -> Telemetry:
    return Telemetry(make_logger("info", "json", log or io.StringIO()))


def make_journal(
    directory: Path, clock: Clock | None = None, limits: Limits | None = None, log: Telemetry | None = None
) -> SqliteJournal:
    return SqliteJournal(
        directory / "journal.db", JournalSettings(), log or telemetry(), clock or SystemClock(), limits or SMALL
    )


@asynccontextmanager
async def opened(directory: Path, **parts: Any) -> AsyncIterator[SqliteJournal]:
    journal = make_journal(directory, **parts)
    await journal.open()
    try:
        yield journal
    finally:
        await journal.close()
