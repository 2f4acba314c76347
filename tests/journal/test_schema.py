import sqlite3
from pathlib import Path

import pytest

from router.envelope import Envelope
from router.journal import schema
from router.journal.contract import INGRESS, LaneNotes, LaneState, Parked
from tests.doubles.envelopes import make_envelope
from tests.journal.books import opened


async def test_writes_as_the_format_says(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.append(make_envelope(1))
        db = journal._store._db
        values = {
            name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "page_size")
        }
        assert values == {"journal_mode": "wal", "synchronous": 2, "page_size": 16384}
        assert db.execute("PRAGMA application_id").fetchone()[0].to_bytes(4, "big") == b"FERJ"
        assert db.execute("PRAGMA user_version").fetchone()[0] == schema.VERSION


def columns(db: sqlite3.Connection) -> dict[str, list[str]]:
    return {table: [row[1] for row in db.execute(f"PRAGMA table_info({table})")] for table in schema.TABLES}


def test_an_older_file_is_brought_up_in_one_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    schema.migrate(db, 0)
    before = columns(db)

    def third(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE lanes ADD COLUMN note TEXT")

    def fourth(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE nowhere ADD COLUMN note TEXT")

    monkeypatch.setattr(schema, "VERSION", 4)
    monkeypatch.setattr(schema, "MIGRATIONS", {**schema.MIGRATIONS, 3: third, 4: fourth})
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(db, schema.check_identity(db, "x"))
    assert columns(db) == before
    assert schema.check_identity(db, "x") == 2
    monkeypatch.setattr(schema, "VERSION", 3)
    schema.migrate(db, 2)
    assert columns(db)["lanes"][-1] == "note"
    assert schema.check_identity(db, "x") == 3
    db.close()


FORMAT_1 = """
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
CREATE TRIGGER parked_insert AFTER INSERT ON parked BEGIN
  INSERT INTO tallies (lane, parked) VALUES (NEW.lane, 1) ON CONFLICT (lane) DO UPDATE SET parked = parked + (1);
END;
CREATE TRIGGER parked_delete AFTER DELETE ON parked BEGIN
  INSERT INTO tallies (lane, parked) VALUES (OLD.lane, -1) ON CONFLICT (lane) DO UPDATE SET parked = parked + (-1);
END;
CREATE TRIGGER dead_letters_insert AFTER INSERT ON dead_letters BEGIN
  INSERT INTO tallies (lane, dead) VALUES (NEW.lane, 1) ON CONFLICT (lane) DO UPDATE SET dead = dead + (1);
END;
CREATE TRIGGER dead_letters_delete AFTER DELETE ON dead_letters BEGIN
  INSERT INTO tallies (lane, dead) VALUES (OLD.lane, -1) ON CONFLICT (lane) DO UPDATE SET dead = dead + (-1);
END;
INSERT INTO state VALUES (1, 1, 1, 1);
INSERT INTO lanes VALUES ('bus', 3, '[[5,5]]');
INSERT INTO parked VALUES ('bus', 2, 'k', '', 1, 2, 3, 4, 5, 'timeout', 'slow');
"""


def write_format_1(path: Path) -> list[Envelope]:
    """As the first release wrote it: five events, the first of them dropped; two letters of a sink, two of the ingress."""
    envelopes = [make_envelope(n, recorded=f"2026-01-31T23:59:5{n}.123Z") for n in range(1, 6)]
    db = sqlite3.connect(path, isolation_level=None)
    schema.configure(db)
    db.executescript(FORMAT_1)
    for n, envelope in enumerate(envelopes[1:], 2):
        db.execute("INSERT INTO events VALUES (?, ?, ?)", (n, 1000 + n, envelope.json))
    for place in (1, 3):
        _insert_letter_1(db, "bus", place, envelopes[place - 1].json)
    for body in (b'{"appid":"not the event\'s"}', b"no JSON"):
        _insert_letter_1(db, INGRESS, None, body)
    db.execute(f"PRAGMA application_id={schema.APPLICATION_ID}")
    db.execute("PRAGMA user_version=1")
    db.close()
    return envelopes


def _insert_letter_1(db: sqlite3.Connection, lane: str, place: int | None, body: bytes) -> None:
    db.execute(
        "INSERT INTO dead_letters (lane, position, event_id, type, subject, body, reason, detail, attempts, "
        "first_failed_ms, last_failed_ms, dead_ms) VALUES (?, ?, ?, 't', NULL, ?, 'http_400', 'no', 1, 7, 8, 9)",
        (lane, place, f"e{place}{len(body)}", body),
    )


async def test_a_file_of_the_first_format_is_taken_over_whole(tmp_path: Path) -> None:
    envelopes = write_format_1(tmp_path / "journal.db")
    async with opened(tmp_path) as journal:
        db = journal._store._db
        new = sqlite3.connect(":memory:")
        schema.migrate(new, 0)
        assert columns(db) == columns(new)
        new.close()
        (state,) = await journal.lanes()
        assert state == LaneState("bus", 3, [(5, 5)], 1, 2, LaneNotes())
        ((parked, event),) = await journal.read_parked("bus")
        assert parked == Parked(2, "k", "", 1, 2, 3, 4, 5, "timeout", "slow")
        assert event.json == envelopes[1].json
        found = await journal.dead_letters()
        assert [(x.lane, x.position, x.app, x.history) for x in found] == [
            ("bus", 1, "cli_a1", ()), ("bus", 3, "cli_a1", ()), (INGRESS, None, "", ()), (INGRESS, None, "", ())
        ]  # fmt: skip
        assert dict(journal.meta().dead) == {"bus": 2, INGRESS: 2}
        assert journal._tallies["bus"].dead_bytes == sum(len(envelopes[n].json) for n in (0, 2))
        times = db.execute("SELECT position, recorded_ms FROM dead_letters WHERE position IS NOT NULL").fetchall()
        assert times == [(1, 1_769_903_991_123), (3, 1003)]
        await journal.revive("bus", {found[0].id: Parked(1, "k", "")})
        assert [e.json for _, e in await journal.read_parked("bus")] == [e.json for e in envelopes[:2]]


def test_every_version_has_its_migration() -> None:
    assert list(schema.MIGRATIONS) == list(range(1, schema.VERSION + 1))
