"""The writer thread: takes one batch at a time, commits it, and tells the event loop with one call."""

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

from router.journal.batch import Batch
from router.journal.store import Done, Store

Answer = Callable[[Batch, Done | Exception], None]


class Writer:
    """Owns the thread; the store is its alone between `start` and `stop`."""

    def __init__(self, store: Store, answer: Answer) -> None:
        self._store = store
        self._answer = answer
        self._queue: SimpleQueue[Batch | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._last: Exception | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin. Answers are called on `loop`."""
        self._loop = loop
        self._thread = Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch) -> None:
        """Hand a batch over; from here on it is the thread's."""
        self._queue.put(batch)

    def stop(self) -> None:
        """Wait for what was submitted, then close the store. Blocking. Raises what the last checkpoint raised."""
        if self._thread is None:
            return
        self._queue.put(None)
        self._thread.join()
        self._thread = None
        if self._last is not None:
            raise self._last

    def _run(self) -> None:
        failure: Exception | None = None
        while (batch := self._queue.get()) is not None:
            if failure is not None:
                self._loop.call_soon_threadsafe(self._answer, batch, failure)
                continue
            try:
                done = self._store.commit(batch)
                self._loop.call_soon_threadsafe(self._answer, batch, done)
                batch = Batch()
                self._store.after()
            except Exception as error:  # noqa: BLE001 - whatever it is, the journal ends with it: nothing is tried again
                failure = error
                self._loop.call_soon_threadsafe(self._answer, batch, error)
        try:
            self._store.close(failed=failure is not None)
        except Exception as error:  # noqa: BLE001 - handed to whoever stops the writer
            self._last = error
