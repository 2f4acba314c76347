"""Python imports this at its start when it lies on the path: a wall clock whose offset is read from a file, all the time.

Only the wall clock: what is monotonic stays so.
"""

import mmap
import os
import struct
import time
from pathlib import Path


def _step(path: Path) -> None:
    real, offset = time.time, struct.Struct("d")
    with path.open("rb") as file:
        view = mmap.mmap(file.fileno(), offset.size, access=mmap.ACCESS_READ)

    def stepped() -> float:
        return real() + float(offset.unpack_from(view)[0])

    time.time = stepped
    time.time_ns = lambda: int(stepped() * 1e9)


if "ORACLE_CLOCK" in os.environ:
    _step(Path(os.environ["ORACLE_CLOCK"]))
