"""What the machine, and nobody else, is guilty of."""

import os
import threading
import time
from pathlib import Path

PAUSE_SECONDS = 0.02


class Noise:
    """worst: how much later than asked a thread has had its turn and synced a file."""

    def __init__(self, file: Path) -> None:
        self.worst = 0.0
        self._file = file
        self.ended = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        begun = time.monotonic()
        with self._file.open("wb", buffering=0) as file:
            while not self.ended.wait(PAUSE_SECONDS):
                file.write(b".")
                os.fdatasync(file.fileno())
                now = time.monotonic()
                self.worst = max(self.worst, now - begun - PAUSE_SECONDS)
                begun = now
