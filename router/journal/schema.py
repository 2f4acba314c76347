"""The disk format of the SQLite journal, and its migrations. Read this before the code.

Files, beside each other in the data directory, all mode 0600:

- `journal.db`          the database below; 16 KiB pages, WAL, `application_id` = "FERJ", `user_version` = format version
- `journal.db-wal`      SQLite's log; a commit is durable once this is synced (`synchronous=FULL`)
- `journal.db-shm`      SQLite's index of the log; rebuilt after a crash
- `journal.db.lock`     locked (flock) while a router has the journal open; holds its pid
- `journal.db.ballast`  blocks given back on a full disk, so that lanes can still settle

Tables:

- `events`: the log. `position` grows by one per event and is never given twice; `recorded_ms` is the commit's wall clock;
  `body` is the envelope's JSON, one line of UTF-8.
- `seen`: what has been stored, for de-duplication. `key` is BLAKE2b-128 over source, type and id, each with its length in
  front of it; `created_ms`, the event's own time of creation (0 where there is none), comes first so that the table grows
  at its right edge. Rows outlive their event's body, and go `dedupe_seconds` after `recorded_ms`.
- `lanes`: one cursor per sink, or replay. All at or below `position` is settled, parked or dead, and so is what `settled`
  names above it: a JSON array of [first, last]. `started`, `paused`, `absent_ms`, `about`: see `LaneNotes`.
- `parked`: events that wait outside of a lane's window; they are kept by retention. `history` is a JSON array of
  [at_ms, reason, detail], the latest last; "" when empty.
- `dead_letters`: whole copies, independent of `events`. Those of sinks are unique by (lane, position), those of the ingress
  (no position) by (lane, event_id). Ids are never given twice. `recorded_ms` is the event's, for when it goes back into
  `events`. `dead_place` has all that letters are searched by, so that a search reads no bodies.
- `tallies`: how many `parked` and `dead_letters` each lane has, and how long the letters' texts are together; kept by triggers.
- `steps`: positions before which the wall clock had been set back: from one to the next, `recorded_ms` never falls. The
  latest thousand.
- `state`: one row. Retention has been everywhere at or below `trimmed` (only parked events remain there); `deleted` counts
  what it took; `head` keeps the newest position for when no event is left.
- `sqlite_sequence`: SQLite's own, which keeps the last id of `dead_letters`. The last number given is kept there, too, as if
  there were a table `numbers`.

Positions have no gaps, so the number of events is head - deleted.
"""

import sqlite3
from collections.abc import Callable, Mapping

from router.journal.contract import JournalOpenError

APPLICATION_ID = 0x4645524A
VERSION = 2
PAGE_SIZE = 16384

_TABLES_1 = """
CREATE TABLE events (position INTEGER PRIMARY KEY, recorded_ms INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE seen (
  created_ms INTEGER NOT NULL, key BLOB NOT NULL, recorded_ms INTEGER NOT NULL, PRIMARY KEY (created_ms, key)
) WITHOUT ROWID;
CREATE TABLE lanes (name TEXT PRIMARY KEY, position INTEGER NOT NULL, settled TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE parked (
  lane TEXT NOT NULL, position INTEGER NOT NULL, order_key TEXT NOT NULL, scope TEXT NOT NULL,
  attempts INTEGER NOT NULL, tries INTEGER NOT NULL, first_failed_ms INTEGER NOT NULL, last_failed_ms INTEGER NOT NULL,
  due_ms INTEGER NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (lane, position)
) WITHOUT ROWID;
CREATE INDEX parked_key ON parked (lane, order_key, position);
CREATE INDEX parked_scope ON parked (lane, scope, position);
CREATE INDEX parked_position ON parked (position);
CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT, lane TEXT NOT NULL, position INTEGER, event_id TEXT NOT NULL, type TEXT NOT NULL,
  subject TEXT, body BLOB NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, attempts INTEGER NOT NULL,
  first_failed_ms INTEGER NOT NULL, last_failed_ms INTEGER NOT NULL, dead_ms INTEGER NOT NULL
);
CREATE UNIQUE INDEX dead_position ON dead_letters (lane, position) WHERE position IS NOT NULL;
CREATE UNIQUE INDEX dead_event ON dead_letters (lane, event_id) WHERE position IS NULL;
CREATE INDEX dead_lane ON dead_letters (lane, id);
CREATE TABLE tallies (lane TEXT PRIMARY KEY, parked INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0)
  WITHOUT ROWID;
CREATE TABLE state (
  id INTEGER PRIMARY KEY CHECK (id = 1), trimmed INTEGER NOT NULL, deleted INTEGER NOT NULL, head INTEGER NOT NULL
);
INSERT INTO state VALUES (1, 0, 0, 0)
"""


_TABLES_2 = """
ALTER TABLE lanes ADD COLUMN started INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lanes ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lanes ADD COLUMN absent_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lanes ADD COLUMN about TEXT NOT NULL DEFAULT '';
ALTER TABLE parked ADD COLUMN history TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letters ADD COLUMN app TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letters ADD COLUMN history TEXT NOT NULL DEFAULT '';
ALTER TABLE dead_letters ADD COLUMN recorded_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tallies ADD COLUMN dead_bytes INTEGER NOT NULL DEFAULT 0;
CREATE TABLE steps (position INTEGER PRIMARY KEY);
DROP INDEX dead_lane
"""
_FILL_LETTERS_2 = """
UPDATE dead_letters SET recorded_ms = coalesce(
  (SELECT e.recorded_ms FROM events e WHERE e.position = dead_letters.position),
  CASE WHEN json_valid(CAST(body AS TEXT)) THEN CAST(round(
    (julianday(json_extract(CAST(body AS TEXT), '$.recordedtime')) - 2440587.5) * 86400000) AS INTEGER) END,
  first_failed_ms),
  app = CASE WHEN json_valid(CAST(body AS TEXT)) THEN coalesce(json_extract(CAST(body AS TEXT), '$.appid'), '') ELSE '' END
WHERE position IS NOT NULL
"""
_INDICES_2 = """
CREATE INDEX dead_place ON dead_letters (lane, position, id, type, app, reason, dead_ms, subject);
CREATE INDEX dead_type ON dead_letters (type);
UPDATE tallies SET dead_bytes = (SELECT coalesce(sum(length(body) + length(history)), 0) FROM dead_letters d
  WHERE d.lane = tallies.lane)
"""
_DROP_TRIGGERS_1 = "DROP TRIGGER dead_letters_insert; DROP TRIGGER dead_letters_delete"


def _tally_trigger(table: str, column: str, when: str, row: str, change: str) -> str:
    return f"""CREATE TRIGGER {table}_{when.lower()} AFTER {when} ON {table} BEGIN
      INSERT INTO tallies (lane, {column}) VALUES ({row}.lane, {change})
        ON CONFLICT (lane) DO UPDATE SET {column} = {column} + ({change});
    END"""  # noqa: S608 - our own names


def _letter_trigger(when: str, row: str, sign: str) -> str:
    return f"""CREATE TRIGGER dead_letters_{when.lower()} AFTER {when} ON dead_letters BEGIN
      INSERT INTO tallies (lane, dead, dead_bytes)
        VALUES ({row}.lane, {sign}1, {sign}(length({row}.body) + length({row}.history)))
        ON CONFLICT (lane) DO UPDATE SET dead = dead + excluded.dead, dead_bytes = dead_bytes + excluded.dead_bytes;
    END"""  # noqa: S608 - as above


_HISTORY_TRIGGER = """CREATE TRIGGER dead_letters_update AFTER UPDATE OF history ON dead_letters BEGIN
  UPDATE tallies SET dead_bytes = dead_bytes + length(NEW.history) - length(OLD.history) WHERE lane = NEW.lane;
END"""


def _each(connection: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";"):
        connection.execute(statement)


def _format_1(connection: sqlite3.Connection) -> None:
    _each(connection, _TABLES_1)
    for table, column in (("parked", "parked"), ("dead_letters", "dead")):
        connection.execute(_tally_trigger(table, column, "INSERT", "NEW", "1"))
        connection.execute(_tally_trigger(table, column, "DELETE", "OLD", "-1"))


def _format_2(connection: sqlite3.Connection) -> None:
    """Writes each dead letter anew: needs as much space as they take."""
    _each(connection, _TABLES_2)
    connection.execute(_FILL_LETTERS_2)
    _each(connection, _INDICES_2)
    _each(connection, _DROP_TRIGGERS_1)
    connection.execute(_letter_trigger("INSERT", "NEW", ""))
    connection.execute(_letter_trigger("DELETE", "OLD", "-"))
    connection.execute(_HISTORY_TRIGGER)


MIGRATIONS: Mapping[int, Callable[[sqlite3.Connection], None]] = {1: _format_1, 2: _format_2}
"""What brings a file from the version before to this one; each runs in the one transaction of `migrate`."""

TABLES = ("events", "seen", "lanes", "parked", "dead_letters", "tallies", "steps", "state")


def configure(connection: sqlite3.Connection) -> None:
    """Set what holds for every connection that writes. Raises sqlite3.Error."""
    for pragma in (
        f"page_size={PAGE_SIZE}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "wal_autocheckpoint=0",
        "journal_size_limit=8388608",
        "secure_delete=OFF",
        "temp_store=MEMORY",
        "foreign_keys=OFF",
        "busy_timeout=5000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def check_identity(connection: sqlite3.Connection, path: object) -> int:
    """The file's format version, 0 for an empty file. Raises JournalOpenError for another program's or a newer file."""
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if application != APPLICATION_ID and not (empty and application == 0 and version == 0):
        raise JournalOpenError(f"{path} is an SQLite database of another program; point FER_DATA_DIR somewhere else")
    if version > VERSION:
        raise JournalOpenError(
            f"{path} has format {version}, this router reads up to {VERSION}: it was written by a newer router. "
            "Start that version again, or give this one another FER_DATA_DIR"
        )
    return version


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring the file from `version` to VERSION, whole or not at all. Raises sqlite3.Error."""
    if version == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in range(version + 1, VERSION + 1):
            MIGRATIONS[step](connection)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
