"""A small disk of its own for the router's data, that can be filled to the last block."""

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Self

DISK_BYTES = 192 << 20


class SmallDisk:
    """A tmpfs over `folder` while it is entered; what is on it is copied to the folder at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def __enter__(self) -> Self:
        self.folder.mkdir(mode=0o700)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "oracle", str(self.folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (
            f"the oracle needs a small disk to fill, and can't mount one: {done.stderr.strip()} "
            "(run as root, in a container with CAP_SYS_ADMIN, or under `unshare --user --map-root-user --mount`)"
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.free()
        kept = self.folder.with_name(self.folder.name + ".kept")
        subprocess.run(["cp", "-a", str(self.folder), str(kept)], check=True)
        subprocess.run(["umount", str(self.folder)], check=True)
        self.folder.rmdir()
        kept.rename(self.folder)

    def fill(self, left: int) -> None:
        """Take all of the free space but `left` bytes."""
        status = os.statvfs(self.folder)
        size = status.f_bavail * status.f_frsize - left
        if size > 0:
            with self._filler.open("wb") as file, contextlib.suppress(OSError):  # the router takes space meanwhile
                os.posix_fallocate(file.fileno(), 0, size)

    def free(self) -> None:
        """Give it back."""
        self._filler.unlink(missing_ok=True)
