"""Events into a table of an SQLite database: an example of a sink plug-in.

A plug-in is a settings class, a sink with three methods, and a SinkType that names both. There is no retry, no waiting,
no logging and no metric here: the router does that for every sink alike, by the outcomes that `deliver()` gives.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from router.envelope import Envelope
from sinks.contract import DELIVERED, Outcome, Rejected, SinkNotReadyError, SinkType, Unavailable
from sinks.settings import Seconds, SinkSettings
from sinks.worker import Worker

CLOSE_SECONDS = 10.0

CREATE = """
CREATE TABLE IF NOT EXISTS {table} (
    position INTEGER PRIMARY KEY, source TEXT, type TEXT, id TEXT, subject TEXT, time TEXT, event TEXT,
    UNIQUE (source, type, id)
)"""

# Delivery is at least once: after a crash an event may come again. Its id makes the second one a no-op.
INSERT = """
INSERT INTO {table} (source, type, id, subject, time, event) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (source, type, id) DO NOTHING"""


class SqliteSettings(SinkSettings):
    """Every field is an environment variable: `table` of the sink `db` is FER_SINK__DB__TABLE."""

    path: Path = Field(description="Database file; made when it is missing.")
    table: str = Field(default="events", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Table the events go to.")
    lock_timeout_seconds: Seconds = Field(default=5.0, description="How long to wait while others write.")


class SqliteSink:
    """One transaction for each batch."""

    # What the router may hand over at once: it never gives more, and never calls deliver() twice at a time.
    max_events = 500
    max_bytes = 4 << 20
    concurrency = 1
    # False: the router keeps the order itself, with never two events of one subject in a batch. A sink that says True gets
    # them, and must answer FOLLOWS for those behind a failed one.
    keeps_order = False

    def __init__(self, name: str, settings: SqliteSettings) -> None:
        # No I/O here: `feishu-event-router check` builds sinks to look at them.
        self._settings = settings
        self._database: sqlite3.Connection | None = None
        # SQLite's calls block, and the router has one event loop for all. The worker runs them one after another in a
        # thread, and stays in order when a deliver() is cancelled half-way.
        self._worker = Worker(f"sqlite sink {name}")

    async def open(self) -> None:
        """Raising means "not now": the router calls again, later and later, and keeps the events meanwhile."""
        try:
            await self._worker.run(self._connect)
        except sqlite3.OperationalError as error:
            raise SinkNotReadyError(f"{self._settings.path}: {error}") from error

    async def deliver(self, batch: Sequence[Envelope]) -> Sequence[Outcome]:
        """One outcome for each event, in order. Delivered must be true after a power cut, too."""
        if self._database is None:
            return [Unavailable("closed", "the database is not open")] * len(batch)
        database = self._database
        try:
            return await self._worker.run(lambda: self._insert(database, batch))
        except sqlite3.OperationalError as error:
            # Locked, full, read-only, gone: not these events' fault. The router holds them and tries again for ever.
            return [Unavailable("database", f"{self._settings.path}: {error}")] * len(batch)

    async def close(self) -> None:
        """Called more than once, and also when open() failed or never ran."""
        database, self._database = self._database, None
        if database is not None:
            self._worker.submit(database.close)
        await self._worker.stop(CLOSE_SECONDS)

    def scope(self, envelope: Envelope) -> str:  # noqa: ARG002 - the contract's signature
        """A sink with parts that fail alone, such as topics, names the part here."""
        return ""

    def _connect(self) -> None:
        if self._database is None:
            # The thread that connects isn't always the one that closes; the worker keeps them apart.
            database = sqlite3.connect(
                self._settings.path, timeout=self._settings.lock_timeout_seconds, check_same_thread=False
            )
            database.execute(CREATE.format(table=self._settings.table))
            self._database = database

    def _insert(self, database: sqlite3.Connection, batch: Sequence[Envelope]) -> list[Outcome]:
        insert = INSERT.format(table=self._settings.table)
        with database:
            return [_insert_one(database, insert, envelope) for envelope in batch]


def _insert_one(database: sqlite3.Connection, insert: str, event: Envelope) -> Outcome:
    row = (event.source, event.type, event.id, event.subject, event.time, event.json.decode())
    try:
        database.execute(insert, row)
    except (sqlite3.IntegrityError, sqlite3.DataError) as error:
        # The table will never take this one (a CHECK, a length): Rejected makes it a dead letter at once. Told by the
        # error's type; the words of a library are for people.
        return Rejected("constraint", str(error))
    return DELIVERED


SINK = SinkType(
    settings=SqliteSettings,
    build=SqliteSink,
    describe=lambda settings: f"SQLite {settings.path}, table {settings.table}",
)
