"""Files change in all the ways they do; what is in use is always something whole that was there."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.rotation.rotation import AGAIN_SECONDS, KeptError
from tests.rotation.worlds import Volume, World, remove, touch, watching, write

HTTP = {"FER_SINKS": "iam", "FER_SINK__IAM__TYPE": "http", "FER_SINK__IAM__URL": "https://a.example/"}
SECRET = "s3cr3t-7f1a"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("one")
    return path


def app(key: Path) -> dict[str, str]:
    return {"FER_APP__ENCRYPT_KEY_FILE": str(key)}


def keys(world: World, prefix: str = "FER_APP") -> list[list[str]]:
    return [[key.get_secret_value() for key in section.encrypt_key] for section in world.taken.get(prefix, [])]


async def test_nothing_is_taken_up_while_nothing_changes(key: Path) -> None:
    async with watching(app(key)) as world:
        for _ in range(5):
            touch(key)
            await world.settle()
        assert (world.taken, world.log.getvalue(), world.standing) == ({}, "", 0)


async def test_a_new_key_is_taken_up_and_only_its_name_is_told(key: Path) -> None:
    async with watching(app(key)) as world:
        write(key, f"one\n{SECRET}\n")
        await world.settle()
        assert keys(world) == [["one", SECRET]]
        write(key, SECRET)
        await world.settle()
        assert keys(world) == [["one", SECRET], [SECRET]]
        assert world.reloaded == [["FER_APP__ENCRYPT_KEY_FILE"]] * 2
        assert SECRET not in world.log.getvalue()
        assert world.telemetry.registry.get_sample_value("fer_reloads_total") == 2


async def test_what_changed_between_the_start_and_the_first_look_is_taken_up(key: Path) -> None:
    world = World(app(key))
    write(key, "two")
    running = asyncio.create_task(world.rotation.run())
    await world.settle()
    assert keys(world) == [["two"]]
    running.cancel()
    await asyncio.wait([running])


async def test_kubernetes_swaps_a_whole_volume(tmp_path: Path) -> None:
    old = {"key": "one", "token": "t", "bearer": "b", "same": "s"}
    volume = Volume(tmp_path / "volume", old)
    environ = {
        **app(Path(volume.path("key"))),
        **HTTP,
        "FER_APP__VERIFICATION_TOKEN_FILE": volume.path("token"),
        "FER_SINK__IAM__BEARER_TOKEN_FILE": volume.path("bearer"),
        "FER_ADMIN__TOKEN_FILE": volume.path("same"),
    }
    async with watching(environ) as world:
        volume.swap(old)
        await world.settle()
        assert world.taken == {}, "new files, old contents"
        volume.swap({"key": "two", "token": "u", "bearer": "c", "same": "s"})
        await world.settle()
        assert set(world.taken) == {"FER_APP", "FER_SINK__IAM"}
        assert keys(world) == [["two"]]
        assert sorted(map(len, world.reloaded)) == [1, 2]


async def test_a_file_rewritten_in_two_halves_is_never_taken_up_by_halves(key: Path) -> None:
    async with watching(app(key)) as world:
        with key.open("w") as file:
            await world.clock.tick()
            file.write("two-fir")
            file.flush()
            await world.clock.tick()
            file.write("st-and-second")
        await world.clock.tick()
        assert keys(world) == []
        await world.settle()
        assert keys(world) == [["two-first-and-second"]]
        assert world.kept == []


async def test_a_file_that_changes_while_it_is_read_is_read_again(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from router.rotation import rotation
    from router.settings import read_sections

    def read(environ: Any) -> Any:
        sections = read_sections(environ)
        write(key, "three")
        return sections

    async with watching(app(key)) as world:
        monkeypatch.setattr(rotation, "read_sections", read)
        write(key, "half")
        await world.settle()
        await world.settle()
        assert keys(world) == [["three"]]


BROKEN: dict[str, Callable[[Path], object]] = {
    "deleted": lambda path: None,
    "a directory": lambda path: path.mkdir(),
    "empty": lambda path: path.write_text("\n"),
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe"),
    "a loop": lambda path: path.symlink_to(path),
    "too large": lambda path: path.write_bytes(b"k" * (2 << 20)),
}


@pytest.mark.parametrize("how", BROKEN)
async def test_what_cannot_be_read_keeps_the_old_and_is_told_once(key: Path, how: str) -> None:
    async with watching(app(key)) as world:
        remove(key)
        BROKEN[how](key)
        for _ in range(3):
            await world.settle()
            await world.clock.tick(AGAIN_SECONDS)
        assert keys(world) == []
        [[fault]] = world.kept
        assert fault.startswith("FER_APP__ENCRYPT_KEY_FILE: ")
        assert str(key) in fault
        assert world.standing == 1
        remove(key)
        write(key, "one")
        await world.settle()
        assert (keys(world), world.standing) == ([], 0), "it came back as it was"
        remove(key)
        BROKEN[how](key)
        await world.settle()
        remove(key)
        write(key, "two")
        await world.settle()
        assert (keys(world), world.standing, len(world.kept)) == ([["two"]], 0, 2)


async def test_a_fault_that_changes_is_told_again_at_once(key: Path) -> None:
    async with watching(app(key)) as world:
        remove(key)
        await world.settle()
        write(key, b"\xff")
        await world.settle()
        assert [("no file" in fault, "UTF-8" in fault) for [fault] in world.kept] == [(True, False), (False, True)]


async def test_one_broken_file_keeps_its_own_part_only(tmp_path: Path) -> None:
    for name in ("hr-key", "hr-token", "it-key", "bearer"):
        (tmp_path / name).write_text("old")
    environ = {
        **HTTP,
        "FER_APPS": "hr,it",
        "FER_APP__HR__ENCRYPT_KEY_FILE": str(tmp_path / "hr-key"),
        "FER_APP__HR__VERIFICATION_TOKEN_FILE": str(tmp_path / "hr-token"),
        "FER_APP__IT__ENCRYPT_KEY_FILE": str(tmp_path / "it-key"),
        "FER_SINK__IAM__BEARER_TOKEN_FILE": str(tmp_path / "bearer"),
    }
    async with watching(environ) as world:
        for name in ("hr-key", "it-key"):
            (tmp_path / name).write_text("new")
        (tmp_path / "hr-token").unlink()
        (tmp_path / "bearer").write_text("a token with spaces")
        await world.settle()
        assert set(world.taken) == {"FER_APP__IT"}
        [faults] = world.kept
        assert len(faults) == world.standing == 2
        (tmp_path / "hr-token").write_text("new")
        await world.settle()
        assert set(world.taken) == {"FER_APP__IT", "FER_APP__HR"}


async def test_what_only_a_restart_takes_up_is_named(tmp_path: Path) -> None:
    (tmp_path / "level").write_text("info")
    (tmp_path / "events").write_text("a.*")
    (tmp_path / "sinks").write_text("iam")
    environ = {
        **HTTP,
        "FER_SINKS": "",
        "FER_SINKS_FILE": str(tmp_path / "sinks"),
        "FER_LOG__LEVEL_FILE": str(tmp_path / "level"),
        "FER_SINK__IAM__EVENTS_FILE": str(tmp_path / "events"),
        "FER_SINK__TWO__TYPE": "memory",
    }
    (tmp_path / "sinks").write_text("iam,two")
    async with watching(environ) as world:
        (tmp_path / "level").write_text("debug")
        (tmp_path / "events").write_text("b.*")
        (tmp_path / "sinks").write_text("iam\ntwo\nthree")
        await world.settle()
        assert world.taken == {}
        [faults] = world.kept
        assert {fault.partition(":")[0] for fault in faults} == {
            "FER_LOG__LEVEL_FILE",
            "FER_SINK__IAM__EVENTS_FILE",
            "FER_SINKS_FILE",
            "FER_SINK__THREE__TYPE",
        }
        assert all("restart" in fault for fault in faults if "THREE" not in fault)


async def test_a_setting_that_cannot_be_read_is_not_called_changed(tmp_path: Path) -> None:
    for name, content in (("level", "debug"), ("sinks", "iam")):
        write(tmp_path / name, content)
    environ = {
        **HTTP,
        "FER_SINKS": "",
        "FER_SINKS_FILE": str(tmp_path / "sinks"),
        "FER_LOG__LEVEL_FILE": str(tmp_path / "level"),
    }
    async with watching(environ) as world:
        remove(tmp_path / "level")
        remove(tmp_path / "sinks")
        await world.settle()
        [faults] = world.kept
        assert len(faults) == 2
        assert all("no file" in fault for fault in faults)


async def test_what_a_taker_said_is_forgotten_with_what_it_was_about(key: Path) -> None:
    async def take(section: Any) -> None:
        raise KeptError("nobody there")

    async with watching(app(key), {"FER_APP": take}) as world:
        write(key, "two")
        await world.settle()
        assert world.standing == 1
        remove(key)
        await world.settle()
        assert (world.standing, len(world.kept)) == (1, 2)
        write(key, "one")
        await world.settle()
        assert world.standing == 0


async def test_who_keeps_the_old_is_asked_again_until_it_takes_the_new(key: Path) -> None:
    refusing = True
    asked = 0

    async def take(section: Any) -> None:
        nonlocal asked
        asked += 1
        if refusing:
            raise KeptError("nobody there")

    async with watching(app(key), {"FER_APP": take}) as world:
        write(key, "two")
        await world.settle()
        await world.settle()
        assert (asked, world.reloaded) == (1, [])
        await world.clock.tick(AGAIN_SECONDS)
        await world.settle()
        assert (asked, world.kept) == (2, [["FER_APP__ENCRYPT_KEY_FILE: nobody there"]])
        refusing = False
        await world.clock.tick(AGAIN_SECONDS)
        await world.settle()
        assert (asked, world.reloaded, world.standing) == (3, [["FER_APP__ENCRYPT_KEY_FILE"]], 0)
        await world.clock.tick(AGAIN_SECONDS)
        assert asked == 3


async def test_a_taker_that_raises_ends_nothing_and_shows_no_secret(key: Path) -> None:
    async def take(section: Any) -> None:
        raise ZeroDivisionError(SECRET)

    async with watching(app(key), {"FER_APP": take}) as world:
        write(key, "two")
        await world.settle()
        assert world.kept == [["FER_APP__ENCRYPT_KEY_FILE: taking it up raised ZeroDivisionError"]]
        assert SECRET not in world.log.getvalue()


async def test_a_slow_taker_holds_up_no_other_and_gets_the_newest_in_the_end(tmp_path: Path, key: Path) -> None:
    (tmp_path / "bearer").write_text("one")
    environ = {**app(key), **HTTP, "FER_SINK__IAM__BEARER_TOKEN_FILE": str(tmp_path / "bearer")}
    free = asyncio.Event()
    got: list[str] = []

    async def slow(section: Any) -> None:
        got.append(section.bearer_token.get_secret_value())
        await free.wait()

    async with watching(environ, {"FER_SINK__IAM": slow}) as world:
        (tmp_path / "bearer").write_text("two")
        await world.settle()
        write(key, "two")
        (tmp_path / "bearer").write_text("three")
        await world.settle()
        assert (keys(world), got) == ([["two"]], ["two"])
        free.set()
        await world.settle()
        assert got == ["two", "three"]


async def test_without_files_there_is_nothing_to_look_at() -> None:
    async with watching({}) as world:
        await world.settle()
        assert world.log.getvalue() == ""


# Whatever happens to the files: each part has the last whole state that two looks saw, and no secret shows.

PARTS = {"FER_APP__HR": ("hr-key", "hr-token"), "FER_APP__IT": ("it-key",), "FER_SINK__IAM": ("bearer",)}
FILES = [name for names in PARTS.values() for name in names]
contents = st.sampled_from([f"{SECRET}-{n}" for n in range(3)])
changes = st.tuples(st.sampled_from(FILES), contents | st.sampled_from(["", "gone", b"\xff"]))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(changes, min_size=1, max_size=3), max_size=6))
def test_each_part_has_the_last_whole_state_of_its_files(story: list[list[tuple[str, str | bytes]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_live(Path(folder), story))


async def _live(folder: Path, story: list[list[tuple[str, str | bytes]]]) -> None:
    now: dict[str, str | bytes] = dict.fromkeys(FILES, f"{SECRET}-0")
    for name in FILES:
        (folder / name).write_text(f"{SECRET}-0")
    used = {prefix: tuple(now[name] for name in names) for prefix, names in PARTS.items()}
    environ = {
        **HTTP,
        "FER_APPS": "hr,it",
        "FER_APP__HR__ENCRYPT_KEY_FILE": str(folder / "hr-key"),
        "FER_APP__HR__VERIFICATION_TOKEN_FILE": str(folder / "hr-token"),
        "FER_APP__IT__ENCRYPT_KEY_FILE": str(folder / "it-key"),
        "FER_SINK__IAM__BEARER_TOKEN_FILE": str(folder / "bearer"),
    }
    async with watching(environ) as world:
        for step in story:
            for name, content in step:
                now[name] = content
                remove(folder / name) if content == "gone" else write(folder / name, content)
            await world.settle()
            for prefix, names in PARTS.items():
                state = tuple(now[name] for name in names)
                if all(str(content).startswith(SECRET) for content in state):
                    used[prefix] = state
                taken = world.taken.get(prefix)
                start = tuple(f"{SECRET}-0" for _ in names)
                assert (_secrets(taken[-1]) if taken else start) == used[prefix]
            bad = sum(not str(content).startswith(SECRET) for content in now.values())
            assert world.standing == bad
        assert SECRET not in world.log.getvalue()


def _secrets(section: Any) -> tuple[str, ...]:
    if section.__class__.__name__ == "HttpSettings":
        return (section.bearer_token.get_secret_value(),)
    return tuple(key.get_secret_value() for key in [*section.encrypt_key, *section.verification_token])
