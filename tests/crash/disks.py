"""Disks that fail a real program: by strace for one file's calls, by a small tmpfs that fills up."""

import errno
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.flow.program import eventually

TOUCHING = "pwrite64,fdatasync,fsync,ftruncate,fallocate,unlink"
MIB = 1 << 20
BLOCK, DISK_STEP = 4096, 16 * MIB


@dataclass(frozen=True)
class Failure:
    """Calls of one kind on one file fail from the `first`-th to the `last`-th of a thread."""

    file: str
    call: str
    error: str
    first: int
    last: int

    def prefix(self, data: Path, log: Path) -> list[str]:
        """What to put in front of the program. It stays the parent's child; strace looks on from beside it."""
        strace = shutil.which("strace")
        assert strace, "this test needs strace: apt-get install strace"
        inject = f"inject={self.call}:error={self.error}:when={self.first}..{self.last}"
        options = ["-D", "-f", "-y", "-e", "signal=none", "-e", f"trace={TOUCHING}", "-e", inject, "-o", str(log)]
        return [strace, *options, "-P", str(data / self.file)]


def calls_around_failure(log: Path) -> tuple[str, list[str]]:
    """What was done to the file just before the first injected failure, and all since.

    A sync after a write is a commit's, one after a sync a checkpoint's. Waits until the program is traced to its end.
    """
    eventually(lambda: "+++ exited with" in log.read_text("utf-8", "replace").rsplit("\n", 2)[-2], 30, lambda: str(log))
    lines = log.read_text("utf-8", "replace").splitlines()
    failed = [at for at, line in enumerate(lines) if "(INJECTED)" in line]
    assert failed, "nothing failed: the program ended before it came to that"
    calls = [re.sub(r"^\d+ +", "", line) for line in lines]
    since = [call for call in calls[failed[0] + 1 :] if not call.startswith(("+++", "<..."))]
    return calls[failed[0] - 1].partition("(")[0], since


@dataclass(frozen=True)
class SmallDisk:
    """A file system of its own in memory."""

    folder: Path

    def free(self) -> int:
        return shutil.disk_usage(self.folder).free

    def fill(self, leave: int) -> None:
        """Take all of it but for that many bytes, also while others write to it."""
        with (self.folder / "filler").open("ab") as filler:
            step = DISK_STEP
            while step >= BLOCK:
                if self.free() - step < leave:
                    step //= 2
                    continue
                try:
                    os.posix_fallocate(filler.fileno(), filler.seek(0, os.SEEK_END), step)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    step //= 2

    def clear(self) -> None:
        (self.folder / "filler").unlink()


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """Mounted at the folder, which is made."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert mounted.returncode == 0, (
        f"this test mounts a small disk and may not: {mounted.stderr.strip()}. Run it as root with CAP_SYS_ADMIN "
        "(docker run --cap-add SYS_ADMIN), or within `unshare --map-root-user --mount`"
    )
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
