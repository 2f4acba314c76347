import errno
import re
import threading
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from router.envelope import Envelope
from sinks.contract import Unavailable
from sinks.file.encode import by_file, line
from sinks.file.settings import FileSettings
from sinks.file.writer import Writer
from tests.doubles.disk import FailingDisk, held_below
from tests.doubles.envelopes import make_envelope
from tests.doubles.stepped import SteppedClock

LINE = len(line(make_envelope(100)))
START = 1_769_903_998.0
"""2026-01-31T23:59:58Z."""


class Bench:
    """A writer, what it closed, and its clock."""

    def __init__(self, root: Path, path: str = "{event_type}.jsonl", **settings: object) -> None:
        self.clock = SteppedClock(START)
        self.closed: list[Path] = []
        self.root = root
        self.settings = FileSettings.model_validate({"type": "file", "path": f"{root}/{path}", **settings})
        self.writer = self.make()

    def make(self) -> Writer:
        return Writer(self.settings.template, self.settings, self.clock, self.closed.append)

    def write(self, *events: Envelope) -> list[Unavailable]:
        parts = by_file(events, lambda event: self.settings.template.relative(event, "archive"))
        return list(self.writer.write(parts).values())

    def names(self) -> list[str]:
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file())

    def ids(self, name: str) -> list[int]:
        return [int(number) for number in re.findall(rb'"id":"event-(\d+)"', (self.root / name).read_bytes())]


def test_each_file_of_a_batch_is_written_once_and_synced_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, disk = Bench(tmp_path), FailingDisk(monkeypatch)
    assert bench.write(*(make_envelope(100 + n, type_="ab"[n % 2]) for n in range(10))) == []
    assert disk.synced == [5 * (LINE - len("corehr.department.updated_v2") + 1)] * 2
    assert bench.ids("a.jsonl") == [100, 102, 104, 106, 108]


def test_a_file_is_closed_before_it_grows_too_long(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "x.jsonl", max_bytes=2 * LINE)
    for number in range(100, 105):
        assert bench.write(make_envelope(number)) == []
    assert bench.names() == ["x.jsonl", "x@20260131T235958Z-0001.jsonl", "x@20260131T235958Z-0002.jsonl"]
    assert [path.name for path in bench.closed] == bench.names()[1:]
    assert [bench.ids(name) for name in bench.names()] == [[104], [100, 101], [102, 103]]


def test_a_batch_longer_than_the_limit_is_one_file(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "x.jsonl", max_bytes=1)
    for start in (100, 110):
        assert bench.write(*(make_envelope(start + n) for n in range(5))) == []
    assert bench.names() == ["x.jsonl", "x@20260131T235958Z-0001.jsonl"]


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_no_closed_file_is_ever_replaced(tmp_path: Path, suffix: str) -> None:
    bench = Bench(tmp_path, "x.jsonl", max_bytes=1)
    taken = tmp_path / f"x@20260131T235958Z-0001.jsonl{suffix}"
    taken.write_text("older")
    for number in (1, 2):
        bench.write(make_envelope(number))
    assert taken.read_text() == "older"
    assert "x@20260131T235958Z-0002.jsonl" in bench.names()


def test_a_file_is_closed_at_its_age_written_to_or_not(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_age_seconds=60)
    bench.write(make_envelope(1, type_="busy"), make_envelope(2, type_="quiet"))
    bench.clock.now += 59
    bench.write(make_envelope(3, type_="busy"))
    assert bench.names() == ["busy.jsonl", "quiet.jsonl"]
    bench.clock.now += 20
    bench.write(make_envelope(4, type_="busy"))
    assert bench.names() == ["busy.jsonl", "busy@20260201T000117Z-0001.jsonl", "quiet@20260201T000117Z-0001.jsonl"]
    assert bench.ids("busy@20260201T000117Z-0001.jsonl") == [1, 3]


def test_the_age_goes_on_over_a_restart(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "x.jsonl", max_age_seconds=3600)
    bench.write(make_envelope(1))
    bench.writer.close()
    bench.clock.now += 3601
    bench.writer = bench.make()
    bench.writer.found.append("x.jsonl")
    bench.writer.close()
    assert bench.names() == ["x@20260201T005959Z-0001.jsonl"]


def test_old_events_do_not_make_a_file_old(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_age_seconds=3600, max_open_files=1)
    for number in range(4):
        bench.write(make_envelope(number, type_="ab"[number % 2], recorded="2020-01-01T00:00:00Z"))
    assert bench.names() == ["a.jsonl", "b.jsonl"]


def test_a_file_made_anew_is_young(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "x.jsonl", max_age_seconds=60)
    bench.write(make_envelope(1))
    bench.clock.now += 50
    (tmp_path / "x.jsonl").unlink()
    for number in (2, 3):
        bench.write(make_envelope(number))
        bench.clock.now += 20
    bench.writer.close()
    assert bench.names() == ["x.jsonl"]


def test_a_file_whose_time_is_over_is_closed_once_idle(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "{date}.jsonl", compression="gzip", idle_seconds=60)
    bench.write(make_envelope(1))
    bench.clock.now += 30
    bench.write(make_envelope(2, recorded="2026-02-01T00:00:28Z"))
    assert bench.names() == ["2026-01-31.jsonl", "2026-02-01.jsonl"]
    bench.clock.now += 40
    bench.write(make_envelope(3, recorded="2026-02-01T00:01:08Z"))
    assert bench.names() == ["2026-01-31@20260201T000108Z-0001.jsonl", "2026-02-01.jsonl"]
    bench.write(make_envelope(4))
    bench.clock.now += 100
    bench.writer.close()
    assert len(bench.closed) == 2, "a late event gets a file of its own, closed like the first"


def test_uncompressed_files_of_the_past_keep_their_names(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "{date}.jsonl", idle_seconds=60)
    bench.write(make_envelope(1))
    bench.clock.now += 1000
    bench.write(make_envelope(2))
    assert bench.names() == ["2026-01-31.jsonl"]


def test_idle_files_are_let_go(tmp_path: Path) -> None:
    bench = Bench(tmp_path, idle_seconds=60)
    bench.write(make_envelope(1, type_="a"))
    bench.clock.now += 61
    bench.write(make_envelope(2, type_="b"))
    other = Bench(tmp_path)
    assert other.write(make_envelope(3, type_="a")) == []
    (failure,) = other.write(make_envelope(4, type_="b"))
    assert (failure.reason, failure.scope) == ("locked", "b.jsonl")


def test_files_held_open_are_bounded(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_open_files=3)
    for turn in range(3):
        assert bench.write(*(make_envelope(10 * turn + n, type_=str(n)) for n in range(8))) == []
        assert held_below(tmp_path) == 3
    assert [bench.ids(name) for name in bench.names()] == [[n, 10 + n, 20 + n] for n in range(8)]
    bench.writer.close()
    assert held_below(tmp_path) == 0


def test_a_disk_that_fills_up_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, disk = Bench(tmp_path), FailingDisk(monkeypatch)
    bench.write(make_envelope(1))
    disk.room = LINE + 20
    (failure,) = bench.write(make_envelope(2), make_envelope(3))
    assert (failure.reason, failure.scope) == ("disk_full", "")
    assert "No space left on device" in failure.detail
    assert bench.ids(bench.names()[0]) == [1]
    disk.room = None
    assert bench.write(make_envelope(2), make_envelope(3)) == []
    assert bench.ids(bench.names()[0]) == [1, 2, 3]


def test_one_failed_sync_of_many_concerns_its_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, disk = Bench(tmp_path), FailingDisk(monkeypatch)
    disk.syncs = [errno.EIO]
    (failure,) = bench.write(*(make_envelope(n, type_=str(n % 9)) for n in range(18)))
    assert failure.reason == "disk_error"
    assert sorted(len(bench.ids(name)) for name in bench.names()) == [0] + [2] * 8


def test_its_threads_end_with_it(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    bench = Bench(tmp_path)
    bench.write(*(make_envelope(n, type_=str(n)) for n in range(9)))
    started = set(threading.enumerate()) - before
    assert 1 < len(started) <= 4
    bench.writer.close()
    for thread in started:
        thread.join(10)
        assert not thread.is_alive()


def test_one_bad_file_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").mkdir()
    bench = Bench(tmp_path)
    (failure,) = bench.write(*(make_envelope(n, type_=name) for n, name in enumerate(["a", "bad", "c"])))
    assert (failure.reason, failure.scope) == ("in_the_way", "bad.jsonl")
    assert bench.names() == ["a.jsonl", "c.jsonl"]


def test_when_it_can_not_be_renamed_the_file_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, "x.jsonl", max_bytes=1)
    bench.write(make_envelope(1))

    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(errno.EACCES, "no", str(target))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        assert bench.write(make_envelope(2)) == []
    assert bench.ids("x.jsonl") == [1, 2]
    assert bench.write(make_envelope(3)) == []
    assert bench.names() == ["x.jsonl", "x@20260131T235958Z-0001.jsonl"]


def test_a_file_removed_by_others_does_not_come_back_empty(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "{date}/x.jsonl", compression="gzip", max_age_seconds=50)
    bench.write(make_envelope(1))
    (tmp_path / "2026-01-31/x.jsonl").unlink()
    bench.clock.now += 1000
    bench.writer.tend()
    bench.writer.close()
    assert bench.names() == []


def test_a_file_removed_by_others_is_made_anew(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "x.jsonl")
    bench.write(make_envelope(1))
    (tmp_path / "x.jsonl").unlink()
    assert bench.write(make_envelope(2)) == []
    assert bench.ids("x.jsonl") == [2]


_SMALL = {
    "max_bytes": 5 * LINE,
    "max_age_seconds": 100,
    "idle_seconds": 30,
    "compression": "gzip",
    "max_open_files": 1,
}


class Faults(RuleBasedStateMachine):
    """Whatever happens: what was answered well is in the files, once, in order, in whole lines."""

    def __init__(self) -> None:
        super().__init__()
        self._patch = pytest.MonkeyPatch()
        self._disk = FailingDisk(self._patch)
        self._bench = Bench(Path(_FOLDERS.pop()), "{date}/{event_type}.jsonl", **_SMALL)
        self._good: dict[str, list[int]] = {"a": [], "b": []}
        self._number = self._moves = 0

    @rule(types=st.lists(st.sampled_from("ab"), min_size=1, max_size=8))
    def write(self, types: list[str]) -> None:
        events = []
        for type_ in types:
            self._number += 1
            events.append(make_envelope(self._number, type_=type_))
        failed = {failure.detail.partition(".jsonl")[0][-1] for failure in self._bench.write(*events)}
        for event in events:
            if event.type not in failed:
                self._good[event.type].append(int(event.id.removeprefix("event-")))

    @rule(room=st.none() | st.integers(0, 3 * LINE))
    def fill_the_disk(self, room: int | None) -> None:
        self._disk.room = room

    @precondition(lambda self: not self._disk.syncs)
    @rule()
    def fail_a_sync(self) -> None:
        self._disk.syncs = [errno.EIO]

    @rule(seconds=st.sampled_from([1, 40, 120]))
    def wait(self, seconds: int) -> None:
        self._bench.clock.now += seconds
        self._bench.writer.tend(now_please=True)

    @rule()
    def restart(self) -> None:
        self._bench.writer.close()
        self._bench.writer = self._bench.make()

    @rule(type_=st.sampled_from("ab"))
    def crash_in_a_write(self, type_: str) -> None:
        self._bench.writer.close()
        path = self._bench.root / f"2026-01-31/{type_}.jsonl"
        if path.exists():
            with path.open("ab") as file:
                file.write(b'{"specversion":"1.0","id":"to')
        self._bench.writer = self._bench.make()

    @rule(type_=st.sampled_from("ab"))
    def somebody_moves_a_file(self, type_: str) -> None:
        path = self._bench.root / f"2026-01-31/{type_}.jsonl"
        self._moves += 1
        if path.exists():
            path.rename(self._bench.root / f"2026-01-31/{type_}@20260131T235958Z-9{self._moves:05}.jsonl")

    @invariant()
    def all_is_there(self) -> None:
        for type_, good in self._good.items():
            found: list[int] = []
            for name in self._bench.names():
                if name.startswith(f"2026-01-31/{type_}"):
                    found += self._bench.ids(name)
            assert sorted(found) == good

    def teardown(self) -> None:
        self._bench.writer.close()
        self._patch.undo()


_FOLDERS: list[str] = []


def test_nothing_is_lost_or_torn_whatever_fails(tmp_path: Path) -> None:
    _FOLDERS[:] = [str(tmp_path / str(number)) for number in range(3000)]
    run_state_machine_as_test(
        Faults, settings=hypothesis_settings(max_examples=20, stateful_step_count=20, deadline=None)
    )
