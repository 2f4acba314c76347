import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.rotation.watch import Watch, look_at


def test_a_look_tells_contents_apart_whatever_the_file_system_says_of_them(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("old")
    os.utime(path, ns=(1, 1))
    before = look_at([str(path)])
    path.write_text("new")
    os.utime(path, ns=(1, 1))
    assert look_at([str(path)]) != before
    path.write_text("old")
    assert look_at([str(path)]) == before
    assert "old" not in str(before)


@pytest.mark.parametrize("kind", ["missing", "directory", "pipe"])
def test_what_cannot_be_read_is_told_and_nothing_is_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "key"
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    assert str(path) in look_at([str(path)])[str(path)]


@given(st.lists(st.sampled_from(["a", "b"]) | st.none(), min_size=1))
def test_only_what_two_looks_in_a_row_agree_on_is_complete_and_only_once_new(states: list[str | None]) -> None:
    watch = Watch()
    before: dict[str, str] | None = None
    done: dict[str, str] | None = None
    for state in states:
        look = {"/f": state} if state else {}
        complete = watch.complete(look)
        assert complete == (look == before)
        before = look
        assert watch.is_new(look) == (look != done)
        if complete:
            watch.done(look)
            done = look
