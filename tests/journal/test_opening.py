import asyncio
import sqlite3
import sys
from pathlib import Path

import pytest

from router.journal.contract import JournalDamagedError, JournalOpenError
from router.journal.offline import OfflineJournal
from router.journal.opening import check_all, explain, open_reader
from tests.doubles.envelopes import make_envelope
from tests.journal.books import make_journal, opened
from tests.journal.processes import start


def names(directory: Path) -> set[str]:
    return {file.name for file in directory.iterdir()}


async def test_knows_an_unclean_end(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        assert not journal._unclean
    process = start(tmp_path, 1)
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    async with opened(tmp_path) as journal:
        assert journal._unclean
    async with opened(tmp_path) as journal:
        assert not journal._unclean


async def test_a_clean_end_leaves_no_log(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.append(make_envelope(1))
    assert names(tmp_path) == {"journal.db", "journal.db.lock"}


LOOK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
print(*db.execute("SELECT count(*) FROM events").fetchone())
db.close()
"""


async def test_somebody_who_looks_into_it_meanwhile_harms_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        for number in range(3):
            await journal.append(make_envelope(number))
            looker = await asyncio.create_subprocess_exec(
                sys.executable, "-c", LOOK, str(journal.path), stdout=asyncio.subprocess.PIPE
            )
            output, _ = await looker.communicate()
            assert output == b"%d\n" % (number + 1)
            assert "journal.db-wal" in names(tmp_path), "the looker took the journal for abandoned"
    async with opened(tmp_path) as journal:
        assert len(await journal.read(0, 10, 1 << 30)) == 3


async def test_is_opened_once(tmp_path: Path) -> None:
    journal = make_journal(tmp_path)
    await journal.open()
    with pytest.raises(JournalOpenError, match="opened once"):
        await journal.open()
    await journal.close()
    with pytest.raises(JournalOpenError, match="opened once"):
        await journal.open()


async def test_the_reader_cannot_write(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        reader = open_reader(journal.path)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("DELETE FROM events")
        reader.close()


def test_explains_what_it_cannot_name() -> None:
    assert "can't open" in str(explain(sqlite3.OperationalError("unable"), Path("x")))


async def test_what_quotes_a_broken_text_is_told_as_damage(tmp_path: Path) -> None:
    """SQLite's message quotes the statement of a table that it can't read, whatever bytes are in it."""
    async with opened(tmp_path) as journal:
        await journal.append(make_envelope(1))
    path = tmp_path / "journal.db"
    whole = path.read_bytes()
    broken = whole.replace(b"CREATE TABLE events (position", b"CREATE \xe5ABLE events (position")
    assert broken != whole
    path.write_bytes(broken)
    for look in (check_all, lambda path: OfflineJournal(path).open()):
        with pytest.raises(JournalDamagedError, match="isn't text"):
            look(path)
    with pytest.raises(JournalDamagedError, match="isn't text"):
        await make_journal(tmp_path).open()
