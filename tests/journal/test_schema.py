import sqlite3
from pathlib import Path

import pytest

from router.journal import schema
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


def test_every_version_has_its_migration() -> None:
    assert list(schema.MIGRATIONS) == list(range(1, schema.VERSION + 1))
