from dataclasses import replace
from pathlib import Path

from router.journal import ballast
from router.journal.limits import MIB
from tests.journal.books import SMALL

LIMITS = replace(SMALL, ballast_bytes=MIB, disk_floor_bytes=10 * MIB)


def test_is_taken_only_when_there_is_plenty(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    ballast.restore(path, LIMITS, 13 * MIB)
    assert not ballast.ballast_path(path).exists()
    ballast.restore(path, LIMITS, 15 * MIB)
    assert ballast.ballast_path(path).stat().st_blocks * 512 >= MIB


def test_is_given_back_and_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    ballast.release(path)
    for _ in range(2):
        ballast.restore(path, LIMITS, 1 << 40)
        ballast.restore(path, LIMITS, 1 << 40)
        assert ballast.ballast_path(path).stat().st_mode & 0o777 == 0o600
        ballast.release(path)
        assert not ballast.ballast_path(path).exists()


def test_none_is_no_error(tmp_path: Path) -> None:
    ballast.restore(tmp_path / "nowhere" / "journal.db", LIMITS, 1 << 40)
    assert list(tmp_path.iterdir()) == []
