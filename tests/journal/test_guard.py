import os
import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.journal import guard
from router.journal.ballast import ballast_path
from router.journal.contract import JournalOpenError
from router.journal.schema import PAGE_SIZE, VERSION
from tests.doubles.envelopes import make_envelope
from tests.journal.books import make_journal, opened
from tests.journal.processes import start

MOUNTS = """22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:20 / /proc rw - proc proc rw
30 22 0:40 / /mnt/team\\040share rw,relatime shared:1 - nfs4 server:/x rw,vers=4.2
31 22 0:41 / /mnt/bucket rw - fuse.s3fs s3fs rw
32 30 254:1 / /mnt/team\\040share/local rw - xfs /dev/vdb rw
33 22 0:42 / /overlaid rw - overlay overlay rw
34 22 0:43 / /old rw - ext4 /dev/vdc rw
35 22 0:44 / /old rw - cifs //server/x rw
36 22 0:45 / /mnt/layers rw - fuse.fuse-overlayfs x rw
"""


@pytest.mark.parametrize(
    ("directory", "kind"),
    [
        ("/var/lib/router", "ext4"),
        ("/mnt/team share/data", "nfs4"),
        ("/mnt/team share/local/data", "xfs"),
        ("/mnt/team sharex", "ext4"),
        ("/old/data", "cifs"),
        ("/overlaid", "overlay"),
    ],
)
def test_finds_the_file_system_of_a_directory(directory: str, kind: str) -> None:
    assert guard.file_system(Path(directory), MOUNTS) == kind


@pytest.mark.parametrize("directory", ["/mnt/team share/data", "/mnt/bucket/x", "/old"])
def test_refuses_a_network_file_system_with_the_reason(directory: str) -> None:
    with pytest.raises(JournalOpenError, match="network file system"):
        guard.refuse_network(Path(directory), MOUNTS)


@pytest.mark.parametrize("directory", ["/data", "/overlaid/x", "/mnt/team share/local", "/mnt/layers"])
def test_takes_a_local_file_system(directory: str) -> None:
    guard.refuse_network(Path(directory), MOUNTS)


@given(st.text())
def test_no_mount_table_makes_it_stumble(text: str) -> None:
    guard.file_system(Path("/data"), text)


async def test_files_are_private(tmp_path: Path) -> None:
    async with opened(tmp_path / "new" / "data") as journal:
        await journal.append(make_envelope(1))
        files = list((tmp_path / "new" / "data").iterdir())
        assert {"journal.db", "journal.db-wal", "journal.db.lock"} <= {file.name for file in files}
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_a_second_router_is_told_who_holds_it(tmp_path: Path) -> None:
    process = start(tmp_path, 1)
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(JournalOpenError, match=rf"process {process.pid}\b"):
        await make_journal(tmp_path).open()
    process.kill()
    process.wait()
    process.stdout.close()
    async with opened(tmp_path):
        pass


async def filled(directory: Path, events: int = 200) -> Path:
    async with opened(directory) as journal:
        for future in [journal.append(make_envelope(n, data="x" * 3000)) for n in range(events)]:
            await future
        return journal.path


async def refused(directory: Path) -> str:
    journal = make_journal(directory)
    with pytest.raises(JournalOpenError) as caught:
        await journal.open()
    await journal.close()
    lock = guard.take(directory / "journal.db")  # nothing is held afterwards
    lock.release()
    return str(caught.value)


@pytest.mark.parametrize(
    "garbage", [b"x", b"not a database at all" * 1000, b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 5000]
)
async def test_garbage_is_refused_and_says_what_to_do(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / "journal.db").write_bytes(garbage)
    assert "--set-aside-damaged-journal" in await refused(tmp_path)
    assert (tmp_path / "journal.db").read_bytes() == garbage


@pytest.mark.parametrize("pages", [1, 3, 20])
async def test_a_truncated_file_is_refused(tmp_path: Path, pages: int) -> None:
    path = await filled(tmp_path)
    os.truncate(path, path.stat().st_size - pages * PAGE_SIZE)
    assert "damaged" in await refused(tmp_path)


async def test_a_torn_last_page_is_refused(tmp_path: Path) -> None:
    path = await filled(tmp_path)
    os.truncate(path, path.stat().st_size - 100)
    assert "damaged" in await refused(tmp_path)


async def test_broken_pages_are_refused(tmp_path: Path) -> None:
    """Every page's header zeroed or flipped, one file each, but for pages that only carry on a long row."""
    path = await filled(tmp_path, 40)
    whole = path.read_bytes()
    for page in range(len(whole) // PAGE_SIZE):
        for patch in (bytes(16), bytes(byte ^ 0xFF for byte in whole[page * PAGE_SIZE : page * PAGE_SIZE + 16])):
            at = page * PAGE_SIZE + (100 if page == 0 else 0)
            path.write_bytes(whole[:at] + patch + whole[at + 16 :])
            assert "damaged" in await refused(tmp_path), f"page {page + 1} with {patch.hex()}"


async def test_a_broken_free_list_is_refused(tmp_path: Path) -> None:
    path = await filled(tmp_path)
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM events WHERE position < 150")
    db.close()
    whole = path.read_bytes()
    trunk = int.from_bytes(whole[32:36], "big")
    assert trunk
    at = (trunk - 1) * PAGE_SIZE
    for patch in (b"\xff\xff\xff\xff", b"\0\0\0\0\xff\xff\xff\xff", b"\0\0\0\0\0\0\0\1"):
        path.write_bytes(whole[:at] + patch + whole[at + len(patch) :])
        assert "damaged" in await refused(tmp_path)


async def test_a_format_that_no_router_wrote_is_damage(tmp_path: Path) -> None:
    path = await filled(tmp_path, 3)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=-2147483645")
    db.close()
    assert "damaged" in await refused(tmp_path)


async def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = await filled(tmp_path, 3)
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version={VERSION + 1}")
    db.close()
    assert "newer router" in await refused(tmp_path)


async def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "journal.db") as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()
    assert "another program" in await refused(tmp_path)


async def test_a_directory_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    journal = make_journal(tmp_path / "file" / "data")
    with pytest.raises(JournalOpenError, match="can't use the directory"):
        await journal.open()


async def test_set_aside_makes_room_for_an_empty_journal(tmp_path: Path) -> None:
    path = await filled(tmp_path)
    os.truncate(path, 5000)
    assert "damaged" in await refused(tmp_path)
    aside = guard.set_aside(path)
    assert aside is not None
    assert aside.stat().st_size == 5000
    assert ".damaged-" in aside.name
    async with opened(tmp_path) as journal:
        assert journal.head == 0
        with pytest.raises(JournalOpenError, match="in use"):
            guard.set_aside(path)


def test_set_aside_of_nothing_is_nothing(tmp_path: Path) -> None:
    assert guard.set_aside(tmp_path / "journal.db") is None


async def test_set_aside_leaves_a_journal_that_is_whole(tmp_path: Path) -> None:
    """Else a switch that was left in a manifest would throw away what is owed to sinks, at each start."""
    path = await filled(tmp_path)
    assert guard.set_aside(path) is None
    async with opened(tmp_path) as journal:
        assert journal.head > 0


async def test_set_aside_leaves_another_programs_database(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()
    with pytest.raises(JournalOpenError, match="another program"):
        guard.set_aside(path)
    assert path.exists()


async def test_set_aside_of_a_journal_with_an_event_that_cannot_be_read(tmp_path: Path) -> None:
    path = await filled(tmp_path)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE events SET body = x'7b' WHERE position = (SELECT max(position) FROM events)")
    db.close()
    assert guard.set_aside(path) is not None
    assert not path.exists()


async def test_a_journal_that_lost_its_whole_content_is_refused(tmp_path: Path) -> None:
    """As a file system may leave it after a crash. Empty because its first start was cut off, it is no loss."""
    path = tmp_path / "journal.db"
    path.touch()
    async with opened(tmp_path):
        pass
    os.truncate(path, 0)
    ballast_path(path).touch()
    assert "it is empty" in await refused(tmp_path)
    assert guard.set_aside(path) is not None
    async with opened(tmp_path) as journal:
        assert journal.head == 0
