"""A file of nothing beside the journal: given back when the disk is full, so that lanes can still settle."""

import os
from pathlib import Path

from router.journal.limits import Limits


def ballast_path(path: Path) -> Path:
    """Where it is."""
    return path.with_name(path.name + ".ballast")


def release(path: Path) -> None:
    """Give the blocks back to the file system. Raises OSError."""
    ballast_path(path).unlink(missing_ok=True)


def restore(path: Path, limits: Limits, free: int) -> None:
    """Take the blocks (again), when the disk has plenty. Having none is no reason to end, so errors are left alone."""
    ballast = ballast_path(path)
    if limits.ballast_bytes == 0 or free < limits.disk_floor_bytes + 4 * limits.ballast_bytes or ballast.exists():
        return
    try:
        handle = os.open(ballast, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(handle, 0, limits.ballast_bytes)
        finally:
            os.close(handle)
    except OSError:
        ballast.unlink(missing_ok=True)
