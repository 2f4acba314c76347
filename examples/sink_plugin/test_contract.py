"""The router's conformance suite on this plug-in, found the way the router finds it."""

# ruff: noqa: D101, D102 - the suite says what each of them is

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from router.envelope import Envelope
from sinks import registry
from sinks.contract import Sink
from sinks.settings import SinkSettings
from sinks.testing.suite import (
    RecoveringTarget,
    RecoveryContract,
    RejectingTarget,
    RejectionContract,
    SinkContract,
    UnreachableContract,
    UnreachableTarget,
    make_envelope,
)

LONGEST = 1_000_000


class SqliteTarget(UnreachableTarget, RecoveringTarget, RejectingTarget):
    """A database whose table takes no event of a megabyte."""

    sink_type = registry.find("sqlite")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "events.db"
        self._locker: sqlite3.Connection | None = None
        self._execute(
            "CREATE TABLE events (position INTEGER PRIMARY KEY, source, type, id, subject, time, "
            f"event CHECK (length(event) < {LONGEST}), UNIQUE (source, type, id))"
        )

    def settings(self) -> SinkSettings:
        return self._settings(self._path)

    async def arrived(self) -> list[dict[str, Any]]:
        return [json.loads(row[0]) for row in self._execute("SELECT event FROM events ORDER BY position")]

    def unreachable(self) -> Sink:
        return self.sink_type.build("contract", self._settings(self._folder / "missing/events.db"))

    async def go_away(self) -> None:
        self._locker = sqlite3.connect(self._path)
        self._locker.execute("BEGIN EXCLUSIVE")

    async def come_back(self) -> None:
        assert self._locker is not None
        self._locker.close()

    def poisoned(self, number: int) -> Envelope:
        return make_envelope(number, data={"text": "x" * LONGEST})

    def _settings(self, path: Path) -> SinkSettings:
        values = {"type": "sqlite", "path": path, "lock_timeout_seconds": "50ms"}
        settings: SinkSettings = self.sink_type.settings.model_validate(values)
        return settings

    def _execute(self, statement: str) -> list[Any]:
        database = sqlite3.connect(self._path)
        with database:
            rows = database.execute(statement).fetchall()
        database.close()
        return rows


class TestSqlite(SinkContract, UnreachableContract, RecoveryContract, RejectionContract):
    @pytest.fixture
    def target(self, tmp_path: Path) -> SqliteTarget:
        return SqliteTarget(tmp_path)
