import errno
import gzip
import os
import stat
from pathlib import Path

import cramjam
import pytest

from sinks.file.compress import Method, compress, walk
from sinks.file.live import LiveFile, Modes, open_live
from tests.doubles.disk import files_no_longer_than

CONTENT = b"".join(b'{"number":%d}\n' % number for number in range(300_000))


def add(file: LiveFile, data: bytes) -> None:
    file.write(data)
    file.sync()


def never() -> bool:
    return False


def unpacked(path: Path) -> bytes:
    return (
        gzip.decompress(path.read_bytes())
        if path.suffix == ".gz"
        else bytes(cramjam.zstd.decompress(path.read_bytes()))
    )


@pytest.mark.parametrize(("method", "suffix"), [("gzip", ".gz"), ("zstd", ".zst")])
@pytest.mark.parametrize(
    "content", [CONTENT, b"", b"{}\n", os.urandom(3 << 20)], ids=["long", "empty", "short", "random"]
)
def test_the_compressed_file_takes_the_place(tmp_path: Path, method: Method, suffix: str, content: bytes) -> None:
    path = tmp_path / "a@1.jsonl"
    path.write_bytes(content)
    os.utime(path, (1000, 1000))
    assert compress(path, method, 0o600, never)
    packed = tmp_path / f"a@1.jsonl{suffix}"
    assert list(tmp_path.iterdir()) == [packed]
    assert unpacked(packed) == content
    assert stat.S_IMODE(packed.stat().st_mode) == 0o600
    assert packed.stat().st_mtime == 1000


def test_stopped_half_way_it_leaves_the_original_alone(tmp_path: Path) -> None:
    path = tmp_path / "a@1.jsonl"
    path.write_bytes(CONTENT)
    answers = iter([False, True])
    assert not compress(path, "gzip", 0o600, lambda: next(answers))
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == CONTENT


def test_a_full_disk_leaves_the_original_alone(tmp_path: Path) -> None:
    path = tmp_path / "a@1.jsonl"
    path.write_bytes(os.urandom(2 << 20))
    with files_no_longer_than(1 << 20), pytest.raises(OSError, match="large") as error:
        compress(path, "gzip", 0o600, never)
    assert error.value.errno == errno.EFBIG
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("method", ["gzip", "zstd"])
def test_what_a_kill_left_half_done_is_done_again(tmp_path: Path, method: Method) -> None:
    path = tmp_path / "a@1.jsonl"
    path.write_bytes(CONTENT)
    for leftover in ("a@1.jsonl.gz.tmp", "a@1.jsonl.zst.tmp"):
        (tmp_path / leftover).write_bytes(b"half")
    (tmp_path / f"a@1.jsonl{'.gz' if method == 'gzip' else '.zst'}").write_bytes(
        b"whole, but the original is not gone yet"
    )
    assert compress(path, method, 0o600, never)
    (packed,) = tmp_path.iterdir()
    assert unpacked(packed) == CONTENT


def test_a_file_that_somebody_holds_is_left_alone(tmp_path: Path) -> None:
    file = open_live(tmp_path, "a@1.jsonl", Modes(0o640, 0o750), 0.0)
    add(file, b"{}\n")
    assert not compress(file.path, "gzip", 0o600, never)
    assert file.path.read_bytes() == b"{}\n"
    file.close()


def test_the_original_goes_only_when_the_compressed_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a@1.jsonl"
    path.write_bytes(CONTENT)
    synced: list[tuple[int, bool]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        synced.append((os.fstat(descriptor).st_ino, path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    assert compress(path, "gzip", 0o600, never)
    packed = tmp_path / "a@1.jsonl.gz"
    assert synced[:2] == [(packed.stat().st_ino, True), (tmp_path.stat().st_ino, True)]


def test_walking_finds_plain_files_only(tmp_path: Path) -> None:
    (tmp_path / "x/y").mkdir(parents=True)
    (tmp_path / "x/y/a").write_text("")
    (tmp_path / "b").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "b")
    os.mkfifo(tmp_path / "pipe")
    assert sorted(walk(tmp_path)) == ["b", "x/y/a"]
    assert list(walk(tmp_path / "missing")) == []
