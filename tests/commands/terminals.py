"""A command at a terminal: what it asks can be answered, and it can be interrupted."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

PATIENCE = 90.0


class Terminal:
    """A command of the program with a terminal as its standard input, output and error."""

    def __init__(self, environ: Mapping[str, str], *args: str) -> None:
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "router", *args],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd()), "TERM": "xterm", **environ},
            start_new_session=True,
        )
        os.close(theirs)
        self.seen = ""

    def wait_for(self, text: str) -> None:
        """Read until that text was shown."""
        end = time.monotonic() + PATIENCE
        while text not in self.seen:
            assert self._read(end), f"{text!r} was not shown:\n{self.seen}"

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        self._process.send_signal(2)

    def end(self) -> int:
        """Everything it shows; its exit status."""
        end = time.monotonic() + PATIENCE
        while self._read(end):
            pass
        return self._process.wait(PATIENCE)

    def _read(self, end: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0.0, end - time.monotonic()))
        try:
            got = os.read(self._ours, 65536) if ready else b""
        except OSError:  # the other side is gone
            got = b""
        self.seen += got.decode(errors="replace")
        return bool(got)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)
