"""A rotation over real files, looked at when a test says so; who takes up what is only noted."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from router.rotation import Rotation
from router.rotation.parts import parts_of
from router.rotation.rotation import LOOK_SECONDS, Taker
from router.settings import read_sections
from router.telemetry import Telemetry
from router.telemetry.logs import make_logger


class Ticks:
    """A clock that stands while nobody calls `tick`."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self._asleep = asyncio.Event()
        self._go = asyncio.Event()

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self._asleep.set()
        await self._go.wait()
        self._go.clear()

    async def tick(self, seconds: float = LOOK_SECONDS) -> None:
        """Let that much time pass; returns when the sleeper sleeps again."""
        await self.asleep()
        self._asleep.clear()
        self.now += seconds
        self._go.set()
        await self.asleep()

    async def asleep(self) -> None:
        async with asyncio.timeout(10):
            await self._asleep.wait()


class World:
    """taken: what each part took up, in order, by the prefix of its variables."""

    def __init__(self, environ: Mapping[str, str], takers: Mapping[str, Taker] | None = None) -> None:
        self.log = io.StringIO()
        self.taken: dict[str, list[Any]] = {}
        self.clock = Ticks()
        self.telemetry = Telemetry(make_logger("info", "json", self.log), self.clock)
        self.sections = read_sections(environ)
        self.settings = self.sections.settings()
        noting = {prefix: self._noting(prefix) for prefix in parts_of(self.sections)}
        self.rotation = Rotation(environ, self.sections, noting | dict(takers or {}), self.telemetry, self.clock)

    def _noting(self, prefix: str) -> Taker:
        async def note(section: Any) -> None:
            self.taken.setdefault(prefix, []).append(section)

        return note

    async def settle(self) -> None:
        """Enough looks for a change to be seen whole and taken up."""
        for _ in range(3):
            await self.clock.tick()

    def said(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if line["event"] == event]

    @property
    def reloaded(self) -> list[list[str]]:
        return [line["variables"] for line in self.said("settings_reloaded")]

    @property
    def kept(self) -> list[list[str]]:
        return [line["faults"] for line in self.said("settings_kept")]

    @property
    def standing(self) -> float | None:
        return self.telemetry.registry.get_sample_value("fer_settings_kept")


@asynccontextmanager
async def watching(environ: Mapping[str, str], takers: Mapping[str, Taker] | None = None) -> AsyncIterator[World]:
    """A world whose rotation runs and has looked at the files as they are."""
    world = World(environ, takers)
    running = asyncio.create_task(world.rotation.run())
    try:
        await world.settle()
        yield world
    finally:
        running.cancel()
        await asyncio.wait([running])
    assert running.cancelled(), running.exception()


class Volume:
    """A Secret as Kubernetes mounts it: each file a link through `..data`, which is swapped for a new folder at once."""

    def __init__(self, folder: Path, contents: Mapping[str, str]) -> None:
        self.folder = folder
        self._revision = 0
        folder.mkdir()
        self.swap(contents)
        for name in contents:
            (folder / name).symlink_to(Path("..data") / name)

    def swap(self, contents: Mapping[str, str]) -> None:
        self._revision += 1
        revision = self.folder / f"..{self._revision}"
        revision.mkdir()
        for name, content in contents.items():
            (revision / name).write_text(content)
        (self.folder / "..data_tmp").symlink_to(revision.name)
        (self.folder / "..data_tmp").replace(self.folder / "..data")

    def path(self, name: str) -> str:
        return str(self.folder / name)


def write(path: Path, content: str | bytes) -> None:
    """In place."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def touch(path: Path) -> None:
    path.touch()


def remove(path: Path) -> None:
    """Whatever is there."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
