"""Syncs of several files at once: disks make many durable in hardly more time than one. Blocking."""

from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial

from sinks.file.live import LiveFile
from sinks.worker import Worker

_THREADS = 4


class Syncer:
    """A few threads, started when there is more than one file to sync."""

    def __init__(self, name: str) -> None:
        self._workers = [Worker(f"{name} sync {number}") for number in range(_THREADS)]

    def sync(self, files: Mapping[str, LiveFile]) -> dict[str, OSError]:
        """Sync all; the errors of those that failed."""
        if len(files) == 1:
            return {key: error for key, file in files.items() if (error := _error_of(file))}
        running: dict[str, Future[OSError | None]] = {}
        for turn, (key, file) in enumerate(files.items()):
            running[key] = self._workers[turn % _THREADS].submit(partial(_error_of, file))
        return {key: error for key, future in running.items() if (error := future.result())}

    def close(self) -> None:
        """End the threads."""
        for worker in self._workers:
            worker.end()


def _error_of(file: LiveFile) -> OSError | None:
    try:
        file.sync()
    except OSError as error:
        return error
    return None
