import errno
import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinks.file.errors import UnfitFileError
from sinks.file.live import LiveFile, Modes, make_root, open_live
from tests.doubles.disk import FailingDisk, files_no_longer_than, held_below

MODES = Modes(0o640, 0o750)


def opened(root: Path, relative: str = "a.jsonl", now: float = 1000.0) -> LiveFile:
    return open_live(root, relative, MODES, now)


def add(file: LiveFile, data: bytes) -> None:
    file.write(data)
    file.sync()


def test_lines_are_appended_and_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FailingDisk(monkeypatch)
    file = opened(tmp_path)
    add(file, b'{"a":1}\n')
    add(file, b'{"a":2}\n')
    assert disk.synced == [8, 16]
    assert (tmp_path / "a.jsonl").read_bytes() == b'{"a":1}\n{"a":2}\n'
    file.close()
    file.close()


def test_folders_and_files_are_made_with_their_modes(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        opened(tmp_path / "deep/root", "x/y/a.jsonl").close()
    finally:
        os.umask(before)
    path = tmp_path / "deep/root/x/y/a.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in list(path.parents)[:4]} == {0o750}


def test_the_mode_is_the_one_asked_for_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        opened(tmp_path).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.jsonl").stat().st_mode) == 0o640


def test_a_new_name_is_made_durable_with_its_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        synced.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", fsync)
    opened(tmp_path / "root", "x/a.jsonl").close()
    assert synced == [folder.stat().st_ino for folder in (tmp_path, tmp_path / "root", tmp_path / "root/x")]


@pytest.mark.parametrize("mended", [b"", b'{"a":1}\n', b'{"a":1}\n' * 3])
@pytest.mark.parametrize("torn", [b'{"a', b'{"a":2}', b"\0" * 5000, b'{"x":\0\0\0\0":3}\n{"b":1}\n{"c'])
def test_what_a_crash_left_torn_is_cut(tmp_path: Path, mended: bytes, torn: bytes) -> None:
    (tmp_path / "a.jsonl").write_bytes(mended + torn)
    file = opened(tmp_path)
    assert (tmp_path / "a.jsonl").read_bytes() == mended
    add(file, b'{"a":9}\n')
    file.close()
    assert (tmp_path / "a.jsonl").read_bytes() == mended + b'{"a":9}\n'


@given(lines=st.lists(st.integers(0, 300), max_size=6), cut=st.integers(0, 2000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_cut_anywhere_only_whole_lines_stay(tmp_path: Path, lines: list[int], cut: int) -> None:
    whole = b"".join(b'{"text":"%s"}\n' % (b"x" * length) for length in lines)
    path = tmp_path / "a.jsonl"
    path.write_bytes(whole[:cut])
    opened(tmp_path).close()
    left = path.read_bytes()
    assert left == whole[:cut][: whole[:cut].rfind(b"\n") + 1]


def test_a_torn_line_longer_than_the_usual_look_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a":1}\n{"text":"' + b"x" * (9 << 20))
    opened(tmp_path).close()
    assert path.read_bytes() == b'{"a":1}\n'


@pytest.mark.parametrize("content", [b"a precious note", b"first line\nsecond", b"x" * 100])
def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(UnfitFileError) as error:
        opened(tmp_path)
    assert error.value.reason == "not_json_lines"
    assert path.read_bytes() == content


def test_a_write_that_only_half_fits_is_taken_back(tmp_path: Path) -> None:
    file = opened(tmp_path)
    add(file, b'{"a":1}\n')
    with files_no_longer_than(12), pytest.raises(OSError, match="large") as error:
        add(file, b'{"a":2}\n')
    assert error.value.errno == errno.EFBIG
    assert (tmp_path / "a.jsonl").read_bytes() == b'{"a":1}\n'
    again = opened(tmp_path)
    add(again, b'{"a":2}\n')
    again.close()
    assert (tmp_path / "a.jsonl").read_bytes() == b'{"a":1}\n{"a":2}\n'


def test_after_a_failed_sync_the_descriptor_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FailingDisk(monkeypatch)
    file = opened(tmp_path)
    add(file, b'{"a":1}\n')
    disk.syncs = [errno.EIO]
    with pytest.raises(OSError, match="Input/output"):
        add(file, b'{"a":2}\n')
    assert (tmp_path / "a.jsonl").read_bytes() == b'{"a":1}\n'
    with pytest.raises(OSError, match="Bad file descriptor"):
        add(file, b'{"a":2}\n')
    assert (tmp_path / "a.jsonl").read_bytes() == b'{"a":1}\n'


def test_two_never_write_to_the_same_file(tmp_path: Path) -> None:
    first = opened(tmp_path)
    with pytest.raises(UnfitFileError, match="another router or sink writes to this file") as error:
        opened(tmp_path)
    assert error.value.reason == "locked"
    first.close()
    opened(tmp_path).close()


def test_a_file_closed_by_others_while_we_open_it_is_not_taken_for_the_live_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    lock = fcntl.flock

    def late(descriptor: int, how: int) -> None:
        path.rename(tmp_path / "a@1.jsonl")
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(UnfitFileError, match="has just closed this file"):
        opened(tmp_path)


def test_another_process_is_kept_out_too(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from sinks.file.live import *\n"
        f"open_live(Path({str(tmp_path)!r}), 'a.jsonl', Modes(0o640, 0o750), 0.0)\n"
        "print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        with pytest.raises(UnfitFileError, match="another router"):
            opened(tmp_path)
        process.kill()
    opened(tmp_path).close()


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/a.jsonl").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic") as error:
        opened(tmp_path / "root")
    assert error.value.errno == errno.ELOOP
    (tmp_path / "root/sub").symlink_to(tmp_path)
    with pytest.raises(NotADirectoryError):
        opened(tmp_path / "root", "sub/secret")
    assert (tmp_path / "secret").read_text() == ""


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "real")
    opened(tmp_path / "root").close()
    assert (tmp_path / "real/a.jsonl").exists()


def test_a_pipe_or_a_folder_in_the_way_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jsonl")
    with pytest.raises(UnfitFileError, match="no plain file"):
        opened(tmp_path)
    (tmp_path / "b.jsonl").mkdir()
    with pytest.raises(IsADirectoryError):
        opened(tmp_path, "b.jsonl")


def test_it_notices_when_others_move_or_cut_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    file = opened(tmp_path)
    add(file, b'{"a":1}\n')
    assert file.in_place()
    os.truncate(path, 0)
    assert not file.in_place()
    file.close()
    file = opened(tmp_path)
    path.rename(tmp_path / "moved")
    assert not file.in_place()
    path.write_bytes(b"")
    assert not file.in_place()
    file.close()


def test_its_age_is_told_by_its_first_event(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    for content, born in [
        (b'{"recordedtime":"1970-01-01T00:10:00Z"}\n{}\n', 600.0),
        (b'{"text":"' + b"x" * 100_000 + b'","recordedtime":"1970-01-01T00:10:00Z"}\n', 600.0),
        (b'{"recordedtime":"2999-01-01T00:10:00Z"}\n', 1000.0),
        (b'{"recordedtime":1}\n', 500.0),
        (b"[]\n", 500.0),
        (b"", 1000.0),
    ]:
        path.write_bytes(content)
        os.utime(path, (500, 500))
        file = opened(tmp_path)
        file.close()
        assert file.born == born


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"not ours")
    (tmp_path / "b.jsonl").mkdir()
    for relative in ("a.jsonl", "b.jsonl", "a.jsonl/c.jsonl", "x/y/z.jsonl"):
        try:
            opened(tmp_path, relative).close()
        except (OSError, UnfitFileError):
            continue
    opened(tmp_path / "new").close()
    assert held_below(tmp_path) == 0


def test_a_root_below_a_plain_file_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with pytest.raises(NotADirectoryError):
        make_root(tmp_path / "plain/x/y", 0o750)
