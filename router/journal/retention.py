"""Dropping what no lane needs any more, in small slices within the journal's own commits."""

import sqlite3
from dataclasses import dataclass

from router.journal.limits import Limits

SLICE = 256
SWEEP_SLICE = 512
SWEEP_EVERY_MS = 60_000
_FIRST_KEY = (-(1 << 63), b"")


@dataclass(slots=True)
class Ends:
    """Where the log begins: as of the last commit. `next_ms`: when the first event above `trimmed` was recorded."""

    trimmed: int = 0
    deleted: int = 0
    oldest_ms: int | None = None
    next_ms: int | None = None


def read_ends(connection: sqlite3.Connection) -> Ends:
    """As the file has it."""
    trimmed, deleted = connection.execute("SELECT trimmed, deleted FROM state").fetchone()
    return Ends(trimmed, deleted, *times(connection, trimmed))


def trim(connection: sqlite3.Connection, ends: Ends, low: int, cutoff_ms: int, rows: int) -> Ends:
    """Delete one slice of at most `rows` events above `ends.trimmed` up to `low`, recorded before `cutoff_ms`.

    Parked ones stay. Gives the new ends; the caller adopts them after the commit.
    """
    (end,) = connection.execute(
        "SELECT max(position) FROM (SELECT position, recorded_ms FROM events WHERE position > ? AND position <= ? "
        "ORDER BY position LIMIT ?) WHERE recorded_ms < ?",
        (ends.trimmed, low, rows, cutoff_ms),
    ).fetchone()
    if end is None:
        return ends
    deleted = connection.execute(
        "DELETE FROM events WHERE position > ? AND position <= ? "
        "AND NOT EXISTS (SELECT 1 FROM parked WHERE parked.position = events.position)",
        (ends.trimmed, end),
    ).rowcount
    return Ends(end, ends.deleted + deleted, *times(connection, end))


def save_ends(connection: sqlite3.Connection, ends: Ends, head: int) -> None:
    """Write them, within the transaction that moved them."""
    connection.execute("UPDATE state SET trimmed = ?, deleted = ?, head = ?", (ends.trimmed, ends.deleted, head))


def times(connection: sqlite3.Connection, trimmed: int) -> tuple[int | None, int | None]:
    """`oldest_ms` and `next_ms` of `Ends`."""
    row: tuple[int | None, int | None] = connection.execute(
        "SELECT (SELECT recorded_ms FROM events ORDER BY position LIMIT 1), "
        "(SELECT recorded_ms FROM events WHERE position > ? ORDER BY position LIMIT 1)",
        (trimmed,),
    ).fetchone()
    return row


class Sweep:
    """Forgets ids that are older than they need be: walks `seen` from its left edge, a slice a commit, then rests."""

    def __init__(self, limits: Limits) -> None:
        self._dedupe_ms = limits.dedupe_ms
        self._after = _FIRST_KEY
        self._due_ms = 0

    def due(self, now_ms: int) -> bool:
        """Whether a slice should join the next commit."""
        return now_ms >= self._due_ms or self._due_ms > now_ms + SWEEP_EVERY_MS

    def run(self, connection: sqlite3.Connection, now_ms: int) -> None:
        """One slice. What it deletes may be rolled back: then the next walk finds it."""
        cutoff = now_ms - self._dedupe_ms
        end = connection.execute(
            "SELECT created_ms, key FROM seen WHERE (created_ms, key) > (?, ?) ORDER BY created_ms, key LIMIT 1 OFFSET ?",
            (*self._after, SWEEP_SLICE - 1),
        ).fetchone()
        last = end if end is not None else ((1 << 63) - 1, b"")
        connection.execute(
            "DELETE FROM seen WHERE (created_ms, key) > (?, ?) AND (created_ms, key) <= (?, ?) AND recorded_ms < ?",
            (*self._after, *last, cutoff),
        )
        if last[0] > cutoff:  # nothing to the right was recorded before the cutoff, unless Feishu's clock is ahead
            self._after, self._due_ms = _FIRST_KEY, now_ms + SWEEP_EVERY_MS
        else:
            self._after = last
