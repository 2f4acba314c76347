"""The files of one sink: which are open, when one is closed, what it is called then. Blocking; used from one thread."""

import errno
import os
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from router.clock import Clock
from sinks.contract import Unavailable
from sinks.file.compress import SUFFIXES
from sinks.file.encode import Part
from sinks.file.errors import UnfitFileError, unavailable
from sinks.file.live import LiveFile, Modes, make_root, open_live, sync_folder
from sinks.file.paths import PathTemplate
from sinks.file.settings import FileSettings
from sinks.file.sync import Syncer


@dataclass(slots=True)
class _Use:
    """A file that will have to be closed some time. Unix seconds; sound: its length when it was let go."""

    written: float
    born: float
    sound: int = 0


class Writer:
    """Writes parts to files and closes them by size, age and time. `on_closed` hears of every file closed for good."""

    def __init__(
        self, template: PathTemplate, settings: FileSettings, clock: Clock, on_closed: Callable[[Path], None]
    ) -> None:
        self.root = Path(template.root)
        self.found: deque[str] = deque()
        """Files of earlier runs, to be closed some time: filled by another thread, taken up by tend()."""
        self._template = template
        self._settings = settings
        self._modes = Modes(settings.file_mode, settings.folder_mode)
        self._clock = clock
        self._on_closed = on_closed
        self._open: OrderedDict[str, LiveFile] = OrderedDict()
        self._uses: dict[str, _Use] = {}
        self._next_tending = 0.0
        self._syncer = Syncer(str(self.root))

    def prepare(self) -> None:
        """Make the root folder. Raises OSError."""
        make_root(self.root, self._modes.folder)
        if not self.root.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "is no folder")
        if os.statvfs(self.root).f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, "the file system is mounted read-only")
        if len(self._template.parts) == 1 and not os.access(self.root, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "no permission to write there")

    def write(self, parts: Mapping[str, Part]) -> dict[str, Unavailable]:
        """One write and one sync for each file; what failed, by file."""
        errors: dict[str, OSError | UnfitFileError] = {}
        names = list(parts)
        for start in range(0, len(names), self._settings.max_open_files):
            written: dict[str, LiveFile] = {}
            for relative in names[start : start + self._settings.max_open_files]:
                try:
                    written[relative] = self._append(relative, parts[relative].data)
                except (OSError, UnfitFileError) as error:
                    errors[relative] = error
            errors |= self._syncer.sync(written)
        for relative in errors:
            self._let_go(relative)
        self.tend()
        return {name: unavailable(error, str(self.root / name), name) for name, error in errors.items()}

    def tend(self, *, now_please: bool = False) -> None:
        """Close files that are too old or whose time is over, let go of idle ones; errors wait for the next time."""
        now = self._clock.wall()
        if now < self._next_tending and not now_please:
            return
        self._next_tending = now + min(self._settings.idle_seconds, self._settings.max_age_seconds or 60.0, 60.0) / 4
        while self.found:
            with suppress(OSError, UnfitFileError):
                self._file(self.found.popleft())
        for relative, use in list(self._uses.items()):
            with suppress(OSError, UnfitFileError):
                self._tend_one(relative, use, now)

    def close(self) -> None:
        """Let go of all files; those due are closed for good."""
        self.tend(now_please=True)
        for relative in list(self._open):
            self._let_go(relative)
        self._syncer.close()

    def _append(self, relative: str, data: bytes) -> LiveFile:
        file = self._file(relative)
        if self._outgrown(file, self._uses[relative].born, len(data)):
            with suppress(OSError):
                self._retire(relative)
            file = self._file(relative)
        file.write(data)
        self._uses[relative].written = self._clock.wall()
        return file

    def _outgrown(self, file: LiveFile, born: float, more: int) -> bool:
        limit, age = self._settings.max_bytes, self._settings.max_age_seconds
        too_long = limit > 0 and file.size + more > limit
        too_old = age > 0 and self._clock.wall() - born >= age
        return file.size > 0 and (too_long or too_old)

    def _file(self, relative: str) -> LiveFile:
        file = self._open.get(relative)
        if file is not None and not file.in_place():
            self._let_go(relative)
            file = None
        if file is None:
            file = self._opened(relative)
        self._open.move_to_end(relative)
        return file

    def _opened(self, relative: str) -> LiveFile:
        while len(self._open) >= self._settings.max_open_files:
            self._let_go(next(iter(self._open)))
        now = self._clock.wall()
        known = self._uses.get(relative)
        file = open_live(self.root, relative, self._modes, now, known.sound if known else 0)
        self._open[relative] = file
        use = self._uses.setdefault(relative, _Use(now, file.born))
        if file.size == 0:
            use.born = now
        return file

    def _let_go(self, relative: str) -> None:
        file = self._open.pop(relative, None)
        if file is not None:
            file.close()
            self._uses[relative].sound = file.size

    def _tend_one(self, relative: str, use: _Use, now: float) -> None:
        age = self._settings.max_age_seconds
        idle = now - use.written >= self._settings.idle_seconds
        over = idle and self._template.over(relative, now)
        if (age > 0 and now - use.born >= age) or (over and self._settings.compression != "none"):
            self._retire(relative)
        elif idle:
            self._let_go(relative)
            if over or not (age or self._template.dated):
                self._uses.pop(relative, None)

    def _retire(self, relative: str) -> None:
        """Close the file for good under a name of its own, unless it is empty. Raises OSError or UnfitFileError."""
        if not (self.root / relative).exists():
            self._let_go(relative)
            self._uses.pop(relative, None)
            return
        file = self._file(relative)
        closed = self._free_name(relative) if file.size > 0 else None
        try:
            if closed is not None:
                file.path.rename(closed)
                sync_folder(closed.parent)
        finally:
            self._let_go(relative)
        self._uses.pop(relative, None)
        if closed is not None:
            self._on_closed(closed)

    def _free_name(self, relative: str) -> Path:
        """A name that no file has, compressed or not. Nobody else takes it meanwhile: we hold the file's lock."""
        now = self._clock.wall()
        count = 1
        while True:
            path = self.root / self._template.closed_name(relative, now, count)
            taken = [path, *(path.with_name(path.name + suffix) for suffix in SUFFIXES.values())]
            if not any(name.exists() for name in taken):
                return path
            count += 1
