"""Descriptors that nothing can be written to, each for its own reason."""

import os


def nobody_reads() -> int:
    """A pipe that its reader has closed."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def disk_full() -> int:
    """A file on a disk without room."""
    return os.open("/dev/full", os.O_WRONLY)
